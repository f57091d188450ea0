// Buffers of the caller's: checked, and made to stand where every backend's checks expect arrays.

import { KindError, ParamError, ShapeError } from "../../errors.ts";
import { elsewhere, type FloatData, type FloatType } from "../../inputs/floats.ts";
import { kindOf, shown } from "../../plan/plan.ts";
import type { Floats } from "../../types.ts";
import { align, usage } from "./buffers.ts";
import type { Range } from "./commands.ts";
import { bytesOf } from "./floats.wgsl.ts";
import { type Gpu, submit } from "./submit.ts";
import type { GpuArray } from "./types.ts";

/** Whether a value is a part of a GPU buffer; a typed array's own buffer cannot be mapped. */
export const isGpuArray = (value: unknown): value is GpuArray =>
  typeof value === "object" && value !== null && "buffer" in value && !ArrayBuffer.isView(value);

/**
 * The range that a caller's buffer gives.
 *
 * Throws    KindError for what is no buffer or has not the usage; ShapeError for a part that is not in it, or too small
 */
export function rangeOf(array: GpuArray, name: string, needs: keyof typeof usage, least = 4): Range {
  const { buffer, offset = 0 } = array;
  if (typeof buffer?.mapAsync !== "function") {
    throw new KindError(`${name}.buffer: expected a GPUBuffer, got ${kindOf(buffer)}`);
  }
  const { size = Number.isSafeInteger(offset) ? buffer.size - offset : 0 } = array;
  if ((buffer.usage & usage[needs]) === 0) {
    throw new KindError(`${name}.buffer: expected GPUBufferUsage.${needs}, got usage 0x${buffer.usage.toString(16)}`);
  }
  for (const [key, value] of Object.entries({ offset, size })) {
    if (Number.isSafeInteger(value) && value >= 0 && value % 4 === 0) continue;
    throw new ParamError("out-of-range", `${name}.${key}: expected a multiple of 4, got ${shown(value)}`);
  }
  if (offset + size > buffer.size || size < least) {
    const got = offset + size > buffer.size ? `bytes up to ${offset + size} of ${buffer.size}` : `${size} bytes`;
    throw new ShapeError("wrong-length", `${name}: expected at least ${least} bytes in the buffer, got ${got}`);
  }
  return { buffer, offset, size };
}

/**
 * The range of what has one type only: float32, or the int32 of ids.
 *
 * Throws    what `rangeOf` does; KindError for another type
 */
export function plainRangeOf(array: GpuArray, name: string, needs: keyof typeof usage, least = 4): Range {
  const { type = "f32" } = array;
  if (type !== "f32") throw new KindError(`${name}.type: expected none here, or f32, got ${shown(type)}`);
  return rangeOf(array, name, needs, least);
}

/** A buffer of floats as `readFloats` knows it: type and length here, the numbers on the GPU. */
export function asFloats(array: GpuArray, name: string, length: number): Floats {
  const { type = "f32" } = array;
  if (!["f32", "f16", "bf16"].includes(type)) {
    throw new ParamError("out-of-range", `${name}.type: expected f32, f16 or bf16, got ${shown(type)}`);
  }
  const bytes = length * bytesOf(type as FloatType);
  const { buffer, offset } = rangeOf(array, name, "STORAGE", Math.ceil(bytes / 4) * 4);
  const data = { buffer, byteOffset: offset, byteLength: bytes, length };
  return { [elsewhere]: { type, data } as unknown as FloatData } as unknown as Floats;
}

/** Floats whose buffer `make` makes once `fill` is called: nothing is made for a call that is refused. */
export function floatsToCome(type: FloatType, length: number, make: (bytes: number) => GPUBuffer) {
  const data = { buffer: {}, byteOffset: 0, byteLength: length * bytesOf(type), length };
  const floats = { [elsewhere]: { type, data } as unknown as FloatData } as unknown as Floats;
  const fill = (): void => {
    data.buffer = make(align(data.byteLength));
  };
  return { floats, fill };
}

/** The values of the properties that lie on the GPU, read back into arrays; the others as they are. */
export async function fetchArrays<T extends object>(
  gpu: Gpu,
  given: T,
  names: readonly string[],
  make: (bytes: ArrayBuffer) => ArrayBufferView,
): Promise<T> {
  const there = names.filter((name) => isGpuArray(given[name as keyof T]));
  if (there.length === 0) return given;
  const ranges = there.map((name) => plainRangeOf(given[name as keyof T] as GpuArray, name, "COPY_SRC"));
  const fetched: Record<string, ArrayBufferView> = {};
  await submit(gpu, (commands) => {
    there.forEach((name, k) => {
      commands.read(ranges[k] as Range, (bytes) => {
        fetched[name] = make(bytes.slice(0));
      });
    });
  });
  return { ...given, ...fetched };
}

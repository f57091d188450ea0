// Buffers of the caller's: what a call may be given in place of arrays, checked as every backend checks arrays.

import { KindError, ParamError, ShapeError } from "../../errors.ts";
import {
  type AnyFloats,
  type ArrayReader,
  type DeviceFloats,
  type FloatType,
  hostArrays,
} from "../../inputs/floats.ts";
import { kindOf, shown } from "../../messages.ts";
import { align, usage } from "./buffers.ts";
import type { Range } from "./commands.ts";
import { bytesOf } from "./floats.wgsl.ts";
import { type Gpu, submit } from "./submit.ts";
import type { GpuArray, GpuRange } from "./types.ts";

/** Whether a value is part of a GPU buffer; a typed array has a buffer too. */
export function isGpuArray(value: unknown): value is GpuArray {
  if (typeof value !== "object" || value === null || ArrayBuffer.isView(value)) return false;
  try {
    // What inherits from a typed array, or stands before one, throws here: it is no array, on a device or elsewhere.
    return (value as { buffer?: unknown }).buffer !== undefined || "buffer" in value;
  } catch {
    return false;
  }
}

/**
 * The range that a caller gives.
 *
 * Throws    KindError if it is not a GPUBuffer or lacks the usage; ParamError, ShapeError if it does not lie in the buffer, or is
 *           too small
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
 * The range of an array that can have only one element type: float32, or the int32 of ids.
 *
 * Throws    as `rangeOf`; KindError for another type
 */
export function plainRangeOf(array: GpuArray, name: string, needs: keyof typeof usage, least = 4): Range {
  const { type = "f32" } = array;
  if (type !== "f32") throw new KindError(`${name}.type: expected f32, or no type, got ${shown(type)}`);
  return rangeOf(array, name, needs, least);
}

/** The first `length` floats of a caller's buffer. Throws    as `rangeOf`; ParamError for an unknown type */
export function deviceFloatsOf(array: GpuArray, name: string, length: number): DeviceFloats {
  const { type = "f32" } = array;
  if (!["f32", "f16", "bf16"].includes(type)) {
    throw new ParamError("out-of-range", `${name}.type: expected f32, f16 or bf16, got ${shown(type)}`);
  }
  const byteLength = length * bytesOf(type);
  const { buffer, offset } = rangeOf(array, name, "STORAGE", align(byteLength));
  return { type, buffer, byteOffset: offset, byteLength, length };
}

const floatsOf = (value: unknown, name: string, length: number): AnyFloats =>
  isGpuArray(value) ? deviceFloatsOf(value, name, length) : hostArrays.floats(value, name, length);

/** Reads arrays and GPU buffers alike. */
export const mixedArrays: ArrayReader<AnyFloats> = {
  floats: floatsOf,
  gradient: floatsOf,
  newGradient: hostArrays.newGradient,
  lengthOf: (value) => (isGpuArray(value) ? capacityOf(value) : hostArrays.lengthOf(value)),
  isFloat32: (value) => (isGpuArray(value) ? (value.type ?? "f32") === "f32" : hostArrays.isFloat32(value)),
  hasIds(value, name, length) {
    if (!isGpuArray(value)) return false;
    plainRangeOf(value, name, "COPY_SRC", 4 * length);
    return true;
  },
  deviceLogps(value, name, length) {
    if (!isGpuArray(value)) return undefined;
    const { buffer, offset } = plainRangeOf(value, name, "COPY_SRC", 4 * length);
    return { type: "f32", buffer, byteOffset: offset, byteLength: 4 * length, length };
  },
};

/** Reads the arrays of a call whose gradients stay on the GPU; `make` creates the buffers that the caller does not name. */
export const residentArrays = (make: (bytes: number) => GpuRange): ArrayReader<AnyFloats> => ({
  ...mixedArrays,
  gradient(value, name, length) {
    if (isGpuArray(value)) return deviceFloatsOf(value, name, length);
    throw new ParamError("unused-option", `${name}: expected a GPU buffer with readback false, got ${kindOf(value)}`);
  },
  newGradient(_like, type, length) {
    const byteLength = length * bytesOf(type);
    const { buffer, offset: byteOffset } = make(align(byteLength));
    return { value: undefined, data: { type, buffer, byteOffset, byteLength, length } };
  },
});

// As many floats as the buffer has room for.
function capacityOf({
  buffer,
  offset = 0,
  size = Number(buffer?.size) - Number(offset),
  type = "f32",
}: GpuArray): number {
  return Math.floor(size / bytesOf(type as FloatType));
}

/** The properties that are GPU buffers, read back into arrays; all others unchanged. */
export async function fetchArrays<T extends object>(
  gpu: Gpu,
  given: T,
  names: readonly string[],
  make: (bytes: ArrayBuffer) => ArrayBufferView,
): Promise<T> {
  const onDevice = names.filter((name) => isGpuArray(given[name as keyof T]));
  if (onDevice.length === 0) return given;
  const ranges = onDevice.map((name) => plainRangeOf(given[name as keyof T] as GpuArray, name, "COPY_SRC"));
  const fetched: Record<string, ArrayBufferView> = {};
  await submit(gpu, (commands) => {
    onDevice.forEach((name, k) => {
      commands.read(ranges[k] as Range, (bytes) => {
        fetched[name] = make(bytes.slice(0));
      });
    });
  });
  return { ...given, ...fetched };
}

export const asFloat32 = (bytes: ArrayBuffer): Float32Array => new Float32Array(bytes);
export const asInt32 = (bytes: ArrayBuffer): Int32Array => new Int32Array(bytes);

// Where a shard's gradient is summed, and how it gets where the caller wants it.

import type { FloatData } from "../../inputs/floats.ts";
import type { Commands, Gpu, Range } from "./commands.ts";
import { bytesOf, perWord } from "./floats.wgsl.ts";
import { storeGradientWgsl } from "./head.wgsl.ts";
import { LANES } from "./pairs.wgsl.ts";
import { isOnDevice, pieceOfBuffer } from "./place.ts";
import type { Numbers } from "./product.ts";

export interface Target {
  /** Float32, a row of the shard after another. */
  readonly into: Pick<Numbers, "range" | "shift">;
  /** Whether sums start from what is there. */
  readonly adds: boolean;
  /** Records what is left to do once all is summed. */
  finish(): void;
}

/**
 * Rows from .. from + count − 1 of a gradient. Float32 on the GPU is summed where it goes, unless it goes over what it is the
 * gradient of, which is read to the end; else sums are taken in what `spare` gives.
 */
export function openTarget(
  { commands, gpu }: { readonly commands: Commands; readonly gpu: Gpu },
  gradient: FloatData,
  input: FloatData,
  width: number,
  { from, count }: { readonly from: number; readonly count: number },
  accumulate: boolean,
  spare: () => Range,
): Target {
  const { type, data } = gradient;
  const onDevice = isOnDevice(gradient);
  const piece = onDevice ? pieceOfBuffer(gpu.device, gradient, width, from, count) : undefined;
  if (piece && type === "f32" && data.buffer !== input.data.buffer) {
    return { into: piece, adds: accumulate, finish() {} };
  }
  const sums = spare();
  const length = count * width;
  const copyOf = (): Range =>
    accumulate
      ? commands.upload(data.subarray(from * width, from * width + length))
      : commands.scratch(length * bytesOf(type));
  return {
    into: { range: sums, shift: 0 },
    adds: false,
    finish() {
      if (type === "f32" && !accumulate && !piece) {
        commands.read({ ...sums, size: 4 * length }, (bytes) => take(bytes, gradient, from * width, length));
        return;
      }
      const to = piece ?? { range: copyOf(), shift: 0 };
      const params = commands.upload(Uint32Array.of(length, to.shift, Number(accumulate)));
      const words = Math.ceil(length / perWord(type));
      commands.run(storeGradientWgsl(type), Math.ceil(words / LANES), params, sums, to.range);
      if (!piece) commands.read(to.range, (bytes) => take(bytes, gradient, from * width, length));
    },
  };
}

/** Numbers that came back, in their own type, from element `at` on. */
export function take(bytes: ArrayBuffer, { type, data }: FloatData, at: number, length: number): void {
  data.set(type === "f32" ? new Float32Array(bytes, 0, length) : new Uint16Array(bytes, 0, length), at);
}

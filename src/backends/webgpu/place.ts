// Floats on the GPU, in pieces of whole rows that a binding can hold: a copy of the caller's array, or the caller's buffer.

import { BackendError } from "../../errors.ts";
import type { FloatData, FloatType } from "../../inputs/floats.ts";
import { align, STORAGE_USAGE } from "./buffers.ts";
import type { Gpu, Range } from "./commands.ts";
import { bytesOf } from "./floats.wgsl.ts";
import { write } from "./recorder.ts";

/** Rows `first` .. `first + rows − 1`, from element `shift` of the range on. */
export interface Piece {
  readonly range: Range;
  readonly shift: number;
  readonly first: number;
  readonly rows: number;
}

export interface Placed {
  readonly type: FloatType;
  readonly pieces: readonly Piece[];
  /** Gives back what was made for it. */
  release(): void;
}

/** Whether the data is a buffer of the caller's: it has no elements to be read here. */
export const isOnDevice = ({ data }: FloatData): boolean => !ArrayBuffer.isView(data);

/** Bytes that a shader sees of a buffer at a time, but for what alignment may take. */
export const roomOf = ({ maxStorageBufferBindingSize, maxBufferSize }: GPUSupportedLimits): number =>
  Math.min(maxStorageBufferBindingSize, maxBufferSize) - 256;

/** Puts rows on the GPU; without `fill` they hold anything. */
export function place(gpu: Gpu, floats: FloatData, vocab: number, fill = true): Placed {
  const { device, pool } = gpu;
  const rows = floats.data.length / vocab;
  const bytes = vocab * bytesOf(floats.type);
  const own: GPUBuffer[] = [];
  const pieces: Piece[] = [];
  const most = rowsOfPiece(device.limits, vocab);
  // What is written into a buffer that there was no memory for: the submission that uses it is refused.
  device.pushErrorScope("validation");
  for (let first = 0; first < rows; first += most) {
    const count = Math.min(most, rows - first);
    if (isOnDevice(floats)) pieces.push(pieceOfBuffer(device, floats, vocab, first, count));
    else {
      const size = align(count * bytes);
      const buffer = pool.take(size, STORAGE_USAGE);
      own.push(buffer);
      if (fill) write(device.queue, buffer, 0, floats.data.subarray(first * vocab, (first + count) * vocab));
      pieces.push({ range: { buffer, offset: 0, size }, shift: 0, first, rows: count });
    }
  }
  device.popErrorScope().catch(() => {});
  return {
    type: floats.type,
    pieces,
    release() {
      for (const buffer of own.splice(0)) pool.give(buffer);
    },
  };
}

/**
 * Rows of `vocab` numbers in a piece: the same whatever the type, so that pieces of logits and of their gradient go together;
 * by twos, since a piece of halves must end with a whole word.
 *
 * Throws    BackendError "out-of-memory" where a row is too long
 */
export function rowsOfPiece(limits: GPUSupportedLimits, vocab: number): number {
  const room = roomOf(limits);
  const most = 2 * Math.floor(room / (8 * vocab));
  if (most > 0) return most;
  throw new BackendError("out-of-memory", `vocab: expected at most ${Math.floor(room / 8)} on this GPU, got ${vocab}`);
}

/** Where the gradient of placed logits goes, and the array that it then comes back into. */
export interface GradientPlace {
  readonly gradient: Placed;
  readonly into: FloatData | undefined;
}

/** The place of a gradient: over our copy of the logits; over a buffer of the caller's only if that was asked for. */
export function placeGradient(
  gpu: Gpu,
  logits: FloatData,
  { release: _, ...own }: Placed,
  out: FloatData,
  vocab: number,
): GradientPlace {
  const onDevice = isOnDevice(out);
  const mayWrite = onDevice ? out.data === logits.data : !isOnDevice(logits);
  const gradient = out.type === logits.type && mayWrite ? { ...own, release() {} } : place(gpu, out, vocab, false);
  return { gradient, into: onDevice ? undefined : out };
}

/** Rows of `width` numbers of the caller's buffer: bindings start at multiples of the alignment, before the first row. */
export function pieceOfBuffer(
  device: GPUDevice,
  { type, data }: FloatData,
  width: number,
  first: number,
  rows: number,
): Piece {
  const bytes = bytesOf(type);
  const start = data.byteOffset + first * width * bytes;
  const buffer = data.buffer as unknown as GPUBuffer;
  const { range, before } = aligned(device, { buffer, offset: start, size: rows * width * bytes });
  return { range, shift: before / bytes, first, rows };
}

/** A range that can be bound, and how many bytes of it come before the one asked for. */
export function aligned(
  { limits: { minStorageBufferOffsetAlignment } }: GPUDevice,
  { buffer, offset, size }: Range,
): { range: Range; before: number } {
  const before = offset % minStorageBufferOffsetAlignment;
  return { range: { buffer, offset: offset - before, size: align(before + size) }, before };
}

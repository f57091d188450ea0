// Floats on the GPU, in pieces of whole rows that a binding can hold: a copy of the caller's array, or the caller's buffer.

import { BackendError } from "../errors.ts";
import type { FloatData } from "../floats.ts";
import { align, type Gpu, type Range, write } from "./commands.ts";
import { bytesOf } from "./floats.wgsl.ts";
import { STORAGE_USAGE } from "./pool.ts";

/** Rows `first` .. `first + rows − 1`, from element `shift` of the range on. */
export interface Piece {
  readonly range: Range;
  readonly shift: number;
  readonly first: number;
  readonly rows: number;
}

export interface Placed {
  readonly pieces: readonly Piece[];
  /** Gives back what was made for it. */
  release(): void;
}

/** Whether the data is a buffer of the caller's: it has no elements to be read here. */
export const isOnDevice = ({ data }: FloatData): boolean => !ArrayBuffer.isView(data);

/** Puts rows on the GPU; without `fill` they hold anything. */
export function place(gpu: Gpu, floats: FloatData, vocab: number, fill = true): Placed {
  const { device, pool } = gpu;
  const rows = floats.data.length / vocab;
  const bytes = vocab * bytesOf(floats.type);
  const own: GPUBuffer[] = [];
  const pieces: Piece[] = [];
  const most = rowsOfPiece(device.limits, vocab);
  for (let first = 0; first < rows; first += most) {
    const count = Math.min(most, rows - first);
    if (isOnDevice(floats)) pieces.push(pieceOfBuffer(device, floats, first, count, bytes));
    else {
      const size = align(count * bytes);
      const buffer = pool.take(size, STORAGE_USAGE);
      own.push(buffer);
      if (fill) write(device.queue, buffer, 0, floats.data.subarray(first * vocab, (first + count) * vocab));
      pieces.push({ range: { buffer, offset: 0, size }, shift: 0, first, rows: count });
    }
  }
  return {
    pieces,
    release() {
      for (const buffer of own.splice(0)) pool.give(buffer);
    },
  };
}

// The same rows whatever the type, so that pieces of logits and of their gradient go together; by twos, since a piece of
// halves must end with a whole word.
function rowsOfPiece({ maxStorageBufferBindingSize, maxBufferSize }: GPUSupportedLimits, vocab: number): number {
  // A piece of the caller's buffer starts at a multiple of the alignment, at most 256 bytes before its first row.
  const room = Math.min(maxStorageBufferBindingSize, maxBufferSize) - 256;
  const most = 2 * Math.floor(room / (8 * vocab));
  if (most > 0) return most;
  throw new BackendError("out-of-memory", `vocab: expected at most ${Math.floor(room / 8)} on this GPU, got ${vocab}`);
}

function pieceOfBuffer(
  { limits: { minStorageBufferOffsetAlignment } }: GPUDevice,
  { type, data }: FloatData,
  first: number,
  rows: number,
  bytes: number,
): Piece {
  const start = data.byteOffset + first * bytes;
  const offset = start - (start % minStorageBufferOffsetAlignment);
  const size = align(start + rows * bytes - offset);
  const buffer = data.buffer as unknown as GPUBuffer;
  return { range: { buffer, offset, size }, shift: (start - offset) / bytesOf(type), first, rows };
}

// Rows of floats on the GPU: a copy of an array, or the caller's buffer where it lies, in pieces that a binding can hold.

import { lengthOf } from "../../checks/views.ts";
import { BackendError } from "../../errors.ts";
import {
  type AnyFloats,
  type DeviceFloats,
  type FloatData,
  type FloatType,
  isOnDevice,
  memoryOf,
} from "../../inputs/floats.ts";
import { align, STORAGE_USAGE } from "./buffers.ts";
import { type Range, writeBuffer } from "./commands.ts";
import { bytesOf } from "./floats.wgsl.ts";
import type { Gpu } from "./submit.ts";

/** Consecutive rows, tokens or ids. */
export interface Span {
  readonly from: number;
  readonly count: number;
}

/** Floats in a range, from element `shift` on. */
export interface FloatRange {
  readonly range: Range;
  readonly type: FloatType;
  readonly shift: number;
}

/** Rows `first` .. `first + rows − 1`, from element `shift` of the range on. */
export interface Piece {
  readonly range: Range;
  readonly shift: number;
  readonly first: number;
  readonly rows: number;
}

export interface DeviceRows {
  readonly type: FloatType;
  readonly pieces: readonly Piece[];
  /** Returns borrowed buffers to the pool. */
  release(): void;
}

/** Bytes that one binding can show a shader, whatever its alignment takes. */
export const bindableBytes = ({ maxStorageBufferBindingSize, maxBufferSize }: GPUSupportedLimits): number =>
  Math.min(maxStorageBufferBindingSize, maxBufferSize) - 256;

/**
 * Rows that one piece holds: the same for every element type, so that the pieces of logits and of their gradient match; an even
 * number, so that a piece of half floats ends with a whole word.
 *
 * Throws    BackendError "out-of-memory" if a row is too long to be bound
 */
export function rowsPerPiece(limits: GPUSupportedLimits, width: number): number {
  const bytes = bindableBytes(limits);
  const rows = 2 * Math.floor(bytes / (8 * width));
  if (rows > 0) return rows;
  throw new BackendError("out-of-memory", `vocab: expected at most ${Math.floor(bytes / 8)} on this GPU, got ${width}`);
}

/** Rows of `width` floats as shaders see them; an array is copied to borrowed buffers, or only given room without `fill`. */
export function toDeviceRows(gpu: Gpu, floats: AnyFloats, width: number, fill = true): DeviceRows {
  const { device, pool } = gpu;
  const rows = lengthOf(memoryOf(floats)) / width;
  const own: GPUBuffer[] = [];
  const pieces: Piece[] = [];
  const most = rowsPerPiece(device.limits, width);
  // Writing to a buffer that is out of memory is a validation error; the submission that uses it is refused anyway.
  device.pushErrorScope("validation");
  for (let first = 0; first < rows; first += most) {
    const count = Math.min(most, rows - first);
    if (isOnDevice(floats)) pieces.push(pieceOfBuffer(device, floats, width, first, count));
    else {
      const size = align(count * width * bytesOf(floats.type));
      const buffer = pool.take(size, STORAGE_USAGE);
      own.push(buffer);
      if (fill) writeBuffer(device.queue, buffer, 0, floats.data.subarray(first * width, (first + count) * width));
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

/** Where the gradient of rows is written, and the array that it is then read back into. */
export interface GradientRows {
  readonly gradient: DeviceRows;
  readonly into: FloatData | undefined;
}

/** The rows of a gradient: over our copy of the logits; over a buffer of the caller's only if that is what was asked for. */
export function toGradientRows(
  gpu: Gpu,
  logits: AnyFloats,
  { release: _, ...own }: DeviceRows,
  out: AnyFloats,
  vocab: number,
): GradientRows {
  const mayOverwrite = isOnDevice(out) ? isOnDevice(logits) && isSame(out, logits) : !isOnDevice(logits);
  const overwrites = out.type === logits.type && mayOverwrite;
  const gradient = overwrites ? { ...own, release() {} } : toDeviceRows(gpu, out, vocab, false);
  return { gradient, into: isOnDevice(out) ? undefined : out };
}

const isSame = (a: DeviceFloats, b: DeviceFloats): boolean => a.buffer === b.buffer && a.byteOffset === b.byteOffset;

/** Rows of `width` floats of the caller's buffer. */
export function pieceOfBuffer(
  device: GPUDevice,
  { type, buffer, byteOffset }: DeviceFloats,
  width: number,
  first: number,
  rows: number,
): Piece {
  const bytes = bytesOf(type);
  const start = byteOffset + first * width * bytes;
  const { range, before } = alignRange(device, { buffer, offset: start, size: rows * width * bytes });
  return { range, shift: before / bytes, first, rows };
}

/** The smallest range that can be bound and holds the given one, and how many bytes of it come before that. */
export function alignRange(
  { limits: { minStorageBufferOffsetAlignment } }: GPUDevice,
  { buffer, offset, size }: Range,
): { range: Range; before: number } {
  const before = offset % minStorageBufferOffsetAlignment;
  return { range: { buffer, offset: offset - before, size: align(before + size) }, before };
}

/** Copies floats that were read back to their array, from element `at` on. */
export function copyBack(bytes: ArrayBuffer, { type, data }: FloatData, at: number, length: number): void {
  data.set(type === "f32" ? new Float32Array(bytes, 0, length) : new Uint16Array(bytes, 0, length), at);
}

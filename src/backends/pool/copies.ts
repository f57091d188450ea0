// Copies of rows on their way to workers and back. Where memory can be shared they are made in the memory that the workers'
// kernels see, and nothing travels; elsewhere in buffers that are moved. Blocks are reused: fresh pages cost more than the copy.
// measured: docs/laboratory.md, "Pool"

import type { FloatType } from "../../inputs/floats.ts";
import type { Heap } from "../../kernels/heap.ts";
import { KEPT_BYTES } from "./break-even.ts";
import type { SentFloats } from "./protocol.ts";

export interface Copies {
  /** Room for so many numbers; what it holds is of no account. */
  take(type: FloatType, length: number): SentFloats;
  /** Room of `take`; the array that came back, where the buffer was moved. */
  giveBack(data: ArrayBufferView): void;
  /** Whether so many more bytes may be kept from the forward to the backward pass; `release` says that they no longer are. */
  mayKeep(bytes: number): boolean;
  release(bytes: number): void;
}

export function createCopies(heap: Heap | undefined): Copies {
  // Blocks as bytes: what lies in the heap by its address, the others are whole buffers.
  const taken = new Map<number, Uint8Array>();
  const spare: Uint8Array[] = [];
  let spareBytes = 0;
  let keptBytes = 0;

  const make = (bytes: number): Uint8Array => {
    try {
      if (heap) return heap.take(bytes);
    } catch {
      // No more of it: a buffer that is moved.
    }
    return new Uint8Array(bytes);
  };
  const reuse = (bytes: number): Uint8Array | undefined => {
    const at = spare.findIndex(({ byteLength }) => byteLength >= bytes && byteLength <= 2 * bytes);
    const [block] = at < 0 ? [] : spare.splice(at, 1);
    spareBytes -= block?.byteLength ?? 0;
    return block;
  };
  const isResident = (array: ArrayBufferView): boolean => heap?.holds(array) ?? false;

  const giveBack = (data: ArrayBufferView): void => {
    const resident = isResident(data);
    const block = resident ? taken.get(data.byteOffset) : new Uint8Array(data.buffer);
    if (!block) return;
    if (resident) taken.delete(block.byteOffset);
    if (spareBytes + block.byteLength <= KEPT_BYTES) {
      spareBytes += block.byteLength;
      spare.push(block);
    } else if (resident) {
      heap?.free(block);
    }
  };

  return {
    giveBack,
    take(type, length) {
      const ArrayType = type === "f32" ? Float32Array : Uint16Array;
      const bytes = length * ArrayType.BYTES_PER_ELEMENT;
      const block = reuse(bytes) ?? make(bytes);
      const resident = isResident(block);
      if (resident) taken.set(block.byteOffset, block);
      return { type, data: new ArrayType(block.buffer as ArrayBuffer, block.byteOffset, length), resident };
    },
    mayKeep(bytes) {
      if (keptBytes + bytes > KEPT_BYTES) return false;
      keptBytes += bytes;
      return true;
    },
    release(bytes) {
      keptBytes -= bytes;
    },
  };
}

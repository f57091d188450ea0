// The part of a backend's memory that `allocate` hands out: first fit over a list of free blocks, merged as they return.

import { arrayTypeOf } from "../arrays.ts";
import { BackendError, KindError } from "../errors.ts";
import type { ElementTypes } from "../types.ts";

export interface Heap {
  allocate<T extends keyof ElementTypes>(type: T, n: number): ElementTypes[T];
  free(array: ArrayBufferView): void;
}

const ALIGN = 64; // a cache line: no two arrays share one

/** Hands out `buffer` from `start` on. The buffer never grows, so no array is ever detached. */
export function createHeap(buffer: ArrayBuffer, start: number): Heap {
  const free = [{ at: align(start), size: buffer.byteLength - align(start) }];
  const taken = new Map<number, number>();
  return {
    allocate(type, n) {
      const ArrayType = arrayTypeOf(type, n);
      const size = Math.max(align(n * ArrayType.BYTES_PER_ELEMENT), ALIGN);
      const block = free.find((candidate) => candidate.size >= size);
      if (!block) {
        const left = free.reduce((sum, { size }) => sum + size, 0);
        throw new BackendError(
          "out-of-memory",
          `allocate: expected ${size} contiguous bytes, got ${left} left; create the backend with a larger \`reserve\``,
        );
      }
      const { at } = block;
      block.at += size;
      block.size -= size;
      if (block.size === 0) free.splice(free.indexOf(block), 1);
      taken.set(at, size);
      new Uint8Array(buffer, at, size).fill(0);
      return new ArrayType(buffer, at, n) as ElementTypes[typeof type];
    },
    free(array) {
      const size = ArrayBuffer.isView(array) && array.buffer === buffer ? taken.get(array.byteOffset) : undefined;
      if (size === undefined)
        throw new KindError("free: expected an array that `allocate` gave and that is still held");
      taken.delete(array.byteOffset);
      const next = free.findIndex(({ at }) => at > array.byteOffset);
      free.splice(next < 0 ? free.length : next, 0, { at: array.byteOffset, size });
      for (let i = free.length - 1; i > 0; i--) {
        const [low, high] = [free[i - 1], free[i]];
        if (!low || !high || low.at + low.size !== high.at) continue;
        low.size += high.size;
        free.splice(i, 1);
      }
    },
  };
}

/** The next multiple of a cache line. */
export const align = (bytes: number): number => Math.ceil(bytes / ALIGN) * ALIGN;

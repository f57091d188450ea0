// The part of a backend's memory that `allocate` hands out: first fit over a list of free blocks, merged as they return.

import { arrayTypeOf } from "../arrays.ts";
import { BackendError, KindError } from "../errors.ts";
import type { ElementTypes } from "../types.ts";

export interface Heap {
  allocate<T extends keyof ElementTypes>(type: T, n: number): ElementTypes[T];
  free(array: ArrayBufferView): void;
  /** Whether an array lies in this memory. */
  holds(array: ArrayBufferView): boolean;
}

const PAGE = 65536;
const ALIGN = 64; // a cache line: no two arrays share one

/**
 * Hands out a memory from byte `start` on. With `grows` it grows as needed, which must be a memory that is shared: any other
 * would detach the arrays over it.
 */
export function createHeap(memory: WebAssembly.Memory, start: number, grows = false): Heap {
  const free = [{ at: align(start), size: memory.buffer.byteLength - align(start) }];
  const taken = new Map<number, number>();
  // A memory has one buffer for each size it had.
  const buffers = new WeakSet<ArrayBufferLike>();
  return {
    allocate(type, n) {
      const ArrayType = arrayTypeOf(type, n);
      const size = Math.max(align(n * ArrayType.BYTES_PER_ELEMENT), ALIGN);
      const find = () => free.find((candidate) => candidate.size >= size);
      const block = find() ?? (grows && grow(size) ? find() : undefined);
      if (!block) {
        const left = free.reduce((sum, { size }) => sum + size, 0);
        throw new BackendError(
          "out-of-memory",
          `allocate: expected ${size} contiguous bytes, got ${left} left${grows ? "" : "; create the backend with a larger `reserve`"}`,
        );
      }
      const { at } = block;
      block.at += size;
      block.size -= size;
      if (block.size === 0) free.splice(free.indexOf(block), 1);
      taken.set(at, size);
      const { buffer } = memory;
      buffers.add(buffer);
      new Uint8Array(buffer, at, size).fill(0);
      return new ArrayType(buffer, at, n) as ElementTypes[typeof type];
    },
    holds: ({ buffer }) => buffers.has(buffer),
    free(array) {
      const size = ArrayBuffer.isView(array) && buffers.has(array.buffer) ? taken.get(array.byteOffset) : undefined;
      if (size === undefined)
        throw new KindError("free: expected an array that `allocate` gave and that is still held");
      taken.delete(array.byteOffset);
      giveBack(array.byteOffset, size);
    },
  };

  function giveBack(at: number, size: number): void {
    const next = free.findIndex((block) => block.at > at);
    free.splice(next < 0 ? free.length : next, 0, { at, size });
    for (let i = free.length - 1; i > 0; i--) {
      const [low, high] = [free[i - 1], free[i]];
      if (!low || !high || low.at + low.size !== high.at) continue;
      low.size += high.size;
      free.splice(i, 1);
    }
  }

  function grow(bytes: number): boolean {
    const { buffer } = memory;
    try {
      memory.grow(Math.ceil(bytes / PAGE));
    } catch {
      return false;
    }
    giveBack(buffer.byteLength, memory.buffer.byteLength - buffer.byteLength);
    return true;
  }
}

/** The next multiple of a cache line. */
export const align = (bytes: number): number => Math.ceil(bytes / ALIGN) * ALIGN;

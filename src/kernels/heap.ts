// The part of a backend's memory that `allocate` hands out: first fit over a list of free blocks, merged as they return.

import { bufferOf, handOut, offsetOf } from "../checks/views.ts";
import { BackendError } from "../errors.ts";
import { arrayTypeOf, notAllocated } from "../inputs/element-types.ts";
import type { ElementTypes } from "../types.ts";
import { rememberMemory } from "./memories.ts";

export interface Heap {
  allocate<T extends keyof ElementTypes>(type: T, n: number): ElementTypes[T];
  /** Zeroed bytes for the backend itself: views of them are no arrays of the caller's. */
  take(bytes: number): Uint8Array<ArrayBuffer>;
  /** Gives back an array of `allocate` or `take`: that very array, once. */
  free(array: ArrayBufferView): void;
  /** Whether an array lies in this memory. */
  holds(array: ArrayBufferView): boolean;
}

const PAGE = 65536;
const ALIGN = 64; // a cache line: no two arrays share one

interface Block {
  readonly at: number;
  /** Of the array. */
  readonly bytes: number;
  /** Of the block, in whole cache lines. */
  readonly size: number;
}

/**
 * Hands out a memory from byte `start` on. With `grows` it grows as needed, which must be a memory that is shared: any other
 * would detach the arrays over it.
 */
export function createHeap(memory: WebAssembly.Memory, start: number, grows = false): Heap {
  const free = [{ at: align(start), size: memory.buffer.byteLength - align(start) }];
  // By the array itself: another one at its address, or a view of it, is not what was given.
  const blocks = new WeakMap<ArrayBufferView, Block>();
  /** What the caller holds, by address. */
  const held: Block[] = [];
  // A memory has one buffer for each size it had; none before the first array that is given away.
  const buffers = new WeakSet<ArrayBufferLike>();

  const isHeld = (at: number, bytes: number): boolean => {
    const block = held[countUpTo(held, at) - 1];
    return block !== undefined && at + bytes <= block.at + block.bytes;
  };

  const know = (buffer: ArrayBuffer): ArrayBuffer => {
    if (!buffers.has(buffer)) handOut(buffer, isHeld);
    buffers.add(buffer);
    rememberMemory(memory);
    return buffer;
  };
  const cut = (bytes: number): Block => {
    const size = Math.max(align(bytes), ALIGN);
    const find = () => free.find((candidate) => candidate.size >= size);
    const from = find() ?? (grows && grow(size) ? find() : undefined);
    if (!from) {
      const left = free.reduce((sum, { size }) => sum + size, 0);
      throw new BackendError(
        "out-of-memory",
        `allocate: expected ${size} contiguous bytes, got ${left} left${grows ? "" : "; create the backend with a larger `reserve`"}`,
      );
    }
    const { at } = from;
    from.at += size;
    from.size -= size;
    if (from.size === 0) free.splice(free.indexOf(from), 1);
    new Uint8Array(know(memory.buffer), at, size).fill(0);
    return { at, bytes, size };
  };

  return {
    allocate(type, n) {
      const ArrayType = arrayTypeOf(type, n);
      const block = cut(n * ArrayType.BYTES_PER_ELEMENT);
      const array = new ArrayType(memory.buffer, block.at, n) as ElementTypes[typeof type];
      held.splice(countUpTo(held, block.at), 0, block);
      blocks.set(array, block);
      return array;
    },
    take(bytes) {
      const block = cut(bytes);
      const array = new Uint8Array(memory.buffer, block.at, bytes);
      blocks.set(array, block);
      return array;
    },
    // It starts after what the backend keeps for itself; most arrays start their buffer, which costs nothing to see.
    holds: (array) => offsetOf(array) >= start && buffers.has(bufferOf(array)),
    free(array) {
      const block = blocks.get(array);
      if (!block) throw notAllocated();
      blocks.delete(array);
      const i = countUpTo(held, block.at) - 1;
      if (held[i] === block) held.splice(i, 1);
      giveBack(block.at, block.size);
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

// How many blocks start at this address or before it.
function countUpTo(blocks: readonly Block[], at: number): number {
  let [low, high] = [0, blocks.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((blocks[middle] as Block).at <= at) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The next multiple of a cache line. */
export const align = (bytes: number): number => Math.ceil(bytes / ALIGN) * ALIGN;

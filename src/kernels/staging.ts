// The staging area: slots of the backend's memory, one piece of a batch each, small enough to stay in cache together.

import { lengthOf, offsetOf, plainView, setNumbers } from "../checks/views.ts";
import type { Numbers } from "../inputs/columns.ts";
import { arrayKind } from "../messages.ts";

/** Elements per piece. measured: docs/laboratory.md, "Piece size". */
export const PIECE = 4096;

export interface Staging<Slot extends string> {
  /** The address of each slot. */
  readonly at: Readonly<Record<Slot, number>>;
  /** Each slot as an array of PIECE float32. */
  readonly views: Readonly<Record<Slot, Float32Array>>;
  /** Whether an array of float32 lies in this memory, where kernels can use it as it is. */
  holds(array: Numbers): boolean;
  /** The address of n elements of `array` from `start` on: where they lie, or their copy in the slot. */
  place(array: Numbers, slot: Slot, start: number, n: number): number;
}

/** Bytes of a staging area with so many slots. */
export const stagingBytes = (slots: number): number => slots * PIECE * 4;

/** Lays slots out from byte `base` of the buffer on. */
export function createStaging<const Slot extends string>(
  buffer: ArrayBuffer,
  base: number,
  slots: readonly Slot[],
  holdsArray: (array: ArrayBufferView) => boolean,
): Staging<Slot> {
  const at = {} as Record<Slot, number>;
  const views = {} as Record<Slot, Float32Array>;
  slots.forEach((slot, i) => {
    at[slot] = base + i * PIECE * 4;
    views[slot] = new Float32Array(buffer, at[slot], PIECE);
  });
  const holds = (array: Numbers): boolean => holdsArray(array) && arrayKind(array) === "Float32Array";
  return {
    at,
    views,
    holds,
    place(array, slot, start, n) {
      if (holds(array)) return offsetOf(array) + 4 * start;
      copy(array, start, views[slot], 0, n);
      return at[slot];
    },
  };
}

// Below this many elements a loop beats the set-up of TypedArray.set.
const SMALL = 32;

/** Copies n elements between arrays of any kinds. */
export function copy(from: Numbers, start: number, to: Numbers, at: number, n: number): void {
  if (n > SMALL) {
    const all = n === lengthOf(from);
    setNumbers(to, all ? from : plainView(from, arrayKind(from), start, n), at);
  } else for (let i = 0; i < n; i++) to[at + i] = from[start + i] as number;
}

// Copies the last one to seven elements of an array into a padded slot of scratch, so that no kernel reads or writes outside
// the caller's arrays:  [x, y, | beyond the end ]  =>  [x, y, 0, 0, 0, 0, 0, 0]

import { tail_scratch } from "../scratch";

// @ts-ignore: decorator
@inline
export function tail_slot(slot: i32): usize {
  return tail_scratch() + (<usize>slot << 5);
}

/** Copies `rest` float32 elements into the slot. */
export function tail_open(slot: i32, from: usize, rest: usize): void {
  v128.store(tail_slot(slot), f32x4.splat(0));
  v128.store(tail_slot(slot), f32x4.splat(0), 16);
  memory.copy(tail_slot(slot), from, rest << 2);
}

/** Copies the first `rest` elements of the slot back. */
export function tail_close(slot: i32, to: usize, rest: usize): void {
  memory.copy(to, tail_slot(slot), rest << 2);
}

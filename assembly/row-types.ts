// The element types of rows of logits, and blocks of them as float32.

import { widen_bf16, widen_f16 } from "./half";

export const F32: i32 = 0;
export const F16: i32 = 1;
export const BF16: i32 = 2;

/** Elements of a block: 16 KiB of float32, which the passes after the first find in the cache. */
export const BLOCK: usize = 4096;

/** One block of float32: widened halves, and gradients before they are narrowed. */
export const WIDE = memory.data(16384, 16);

/** Up to 15 elements, padded to 16, so that no kernel reads or writes outside the caller's arrays. */
const REST = memory.data(64, 16);

/** log2 of the bytes of an element. */
// @ts-ignore: decorator
@inline
export function shift_of(type: i32): usize {
  return type == F32 ? 2 : 1;
}

/** n elements (a multiple of 16, at most BLOCK) as float32: where they are, or widened to WIDE. */
export function as_f32(type: i32, x: usize, n: usize): usize {
  if (type == F32) return x;
  if (type == F16) widen_f16(x, WIDE, n);
  else widen_bf16(x, WIDE, n);
  return WIDE;
}

/** The rest of a row, n < 16 elements, followed by -Infinity. */
export function padded_rest(type: i32, x: usize, n: usize): usize {
  const infinity = i32x4.splat(type == F32 ? 0xff800000 : type == F16 ? 0xfc00fc00 : 0xff80ff80);
  for (let i: usize = 0; i < 64; i += 16) v128.store(REST + i, infinity);
  memory.copy(REST, x, n << shift_of(type));
  return REST;
}

// Float16 to float32: the steps that both forms of widening share, the one that gives x and the one that gives 2^112·x.
//
// Sign, exponent and mantissa move into place with the exponent 112 too large, so that infinity and NaN come out right.
// Only zeros and denormals need more.

import { interleave_high, interleave_low } from "./lanes";

const CONSTANTS = memory.data<i32>([
  0x7c007c00, // 0: the exponents of two float16
  0x8fff8fff, // 1: of float16 shifted right by 3 with the sign: sign, exponent, first 7 bits
  0x70007000, // 2: 224 in the exponent field of a float32's upper half
  0x80008000, // 3: signs
  0x07800000, // 4: 2^-112
  0xb8800000, // 5: -2^-14: less the least normal float16
  0x3f800000, // 6: 1
  0xf0800000, // 7: -2^98, the same times 2^112
]);

// @ts-ignore: decorator
@inline
function constant(i: usize): v128 {
  return v128.load32_splat(CONSTANTS + (i << 2));
}

/** 2^-112 */
// @ts-ignore: decorator
@inline
export function unscale_x4(): v128 {
  return constant(4);
}

/** Whether 16 float16 contain neither zeros nor denormals. */
// @ts-ignore: decorator
@inline
export function all_normal_x16(a: v128, b: v128): bool {
  return i16x8.all_true(i16x8.min_u(v128.and(a, constant(0)), v128.and(b, constant(0))));
}

/** The upper halves of eight float32; `lower_half_x8` gives the lower ones. */
// @ts-ignore: decorator
@inline
export function upper_half_x8(h: v128): v128 {
  return i16x8.add(v128.and(i16x8.shr_s(h, 3), constant(1)), constant(2));
}

// @ts-ignore: decorator
@inline
export function lower_half_x8(h: v128): v128 {
  return i16x8.shl(h, 13);
}

/** Widens any eight float16. A denormal m·2^-24 becomes (1 + m/2^10)·2^-15 on the way; twice that, less 2^-14, is its value. */
export function widen_any_x8(x: usize, out: usize, scaled: bool): void {
  const h = v128.load(x);
  const sign = v128.and(h, constant(3));
  const high = upper_half_x8(v128.xor(h, sign));
  const low = lower_half_x8(h);
  const zero = i16x8.splat(0);
  const factor = scaled ? constant(6) : constant(4);
  const least = scaled ? constant(7) : constant(5);
  v128.store(out, v128.or(any_x4(interleave_low(low, high), factor, least), interleave_low(zero, sign)));
  v128.store(out, v128.or(any_x4(interleave_high(low, high), factor, least), interleave_high(zero, sign)), 16);
}

// @ts-ignore: decorator
@inline
function any_x4(word: v128, factor: v128, least: v128): v128 {
  const a = f32x4.mul(word, factor);
  return f32x4.add(a, f32x4.pmin(f32x4.add(a, least), f32x4.splat(0)));
}


// Float16 and bfloat16 to float32 and back, eight at a time; n is a multiple of 8 (the row kernels pad).

import { madd_x4 } from "./inline/madd";

const CONSTANTS = memory.data<f32>([
  1.92592994e-34, // 0: 2^-112
  -6.10351562e-5, // 1: -2^-14, the least normal float16
  65536.0, // 2: what rounds to a float16 infinity
  0.5, // 3: its last bit is 2^-24, that of a float16 denormal
]);

// @ts-ignore: decorator
@inline
function constant(i: usize): v128 {
  return v128.load32_splat(CONSTANTS + (i << 2));
}

/** Exact, denormals, infinities and NaN too. */
export function widen_f16(x: usize, out: usize, n: usize): void {
  const zero = i16x8.splat(0);
  for (const end = x + (n << 1); x < end; x += 16, out += 32) {
    const h = v128.load(x);
    const sign = v128.and(h, i16x8.splat(-32768));
    const a = v128.xor(h, sign);
    // Exponent + 224 in a float32's field, times 2^-112: infinity and NaN come out right, and no denormal goes in.
    const high = i16x8.add(i16x8.shr_u(a, 3), i16x8.splat(0x7000));
    const low = i16x8.shl(a, 13);
    v128.store(out, signed_x4(unpack_low(low, high), unpack_low(zero, sign)));
    v128.store(out, signed_x4(unpack_high(low, high), unpack_high(zero, sign)), 16);
  }
}

// A float16 denormal m·2^-24 has become (1 + m/2^10)·2^-15: twice that, less 2^-14, is its value.
// @ts-ignore: decorator
@inline
function signed_x4(word: v128, sign: v128): v128 {
  const a = f32x4.mul(word, constant(0));
  const denormal = f32x4.pmin(f32x4.add(a, constant(1)), f32x4.splat(0));
  return v128.or(f32x4.add(a, denormal), sign);
}

/** Exact. */
export function widen_bf16(x: usize, out: usize, n: usize): void {
  const zero = i16x8.splat(0);
  for (const end = x + (n << 1); x < end; x += 16, out += 32) {
    const h = v128.load(x);
    v128.store(out, unpack_low(zero, h));
    v128.store(out, unpack_high(zero, h), 16);
  }
}

// Two times eight 16 bit halves to the words of lanes 0..3:  low [a0 …], high [b0 …]  =>  [b0:a0, b1:a1, b2:a2, b3:a3]
// @ts-ignore: decorator
@inline
function unpack_low(low: v128, high: v128): v128 {
  return i8x16.shuffle(low, high, 0, 1, 16, 17, 2, 3, 18, 19, 4, 5, 20, 21, 6, 7, 22, 23);
}

// The same of lanes 4..7.
// @ts-ignore: decorator
@inline
function unpack_high(low: v128, high: v128): v128 {
  return i8x16.shuffle(low, high, 8, 9, 24, 25, 10, 11, 26, 27, 12, 13, 28, 29, 14, 15, 30, 31);
}

/** To nearest, ties to even; too large is infinity; NaN is 0x7fff with its sign. The input holds no denormals. */
export function narrow_f16(x: usize, out: usize, n: usize): void {
  for (const end = x + (n << 2); x < end; x += 32, out += 16) {
    const low = v128.load(x);
    const high = v128.load(x, 16);
    const sign = i16x8.narrow_i32x4_s(i32x4.shr_s(low, 16), i32x4.shr_s(high, 16));
    const magnitude = i16x8.narrow_i32x4_s(narrow_x4(low), narrow_x4(high));
    v128.store(out, v128.or(magnitude, v128.and(sign, i16x8.splat(-32768))));
  }
}

// Adding 2^13 times its own power of two (at least 1/2) rounds |x| to 11 bits, or to a multiple of 2^-24.
// @ts-ignore: decorator
@inline
function narrow_x4(x: v128): v128 {
  const a = f32x4.pmin(f32x4.abs(x), constant(2));
  const power = i32x4.add(v128.and(a, i32x4.splat(0x7f800000)), i32x4.splat(13 << 23));
  const bias = f32x4.pmax(power, constant(3));
  const digits = i32x4.sub(f32x4.add(a, bias), bias);
  const exponent = i32x4.shr_u(i32x4.sub(bias, constant(3)), 13);
  return v128.or(i32x4.add(digits, exponent), i32x4.shr_u(f32x4.ne(x, x), 17));
}

/** To nearest, ties to even; too large is infinity; NaN is 0xffff. */
export function narrow_bf16(x: usize, out: usize, n: usize): void {
  for (const end = x + (n << 2); x < end; x += 32, out += 16) {
    v128.store(out, i16x8.narrow_i32x4_u(round_bf16_x4(v128.load(x)), round_bf16_x4(v128.load(x, 16))));
  }
}

// @ts-ignore: decorator
@inline
function round_bf16_x4(x: v128): v128 {
  const odd = v128.and(i32x4.shr_u(x, 16), i32x4.splat(1));
  const rounded = i32x4.shr_u(i32x4.add(i32x4.add(x, i32x4.splat(0x7fff)), odd), 16);
  return v128.or(rounded, i32x4.shr_u(f32x4.ne(x, x), 16));
}

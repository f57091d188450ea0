// e^y for the sums over a row, in parts, as e^y = 2^n·e^r with |r| ≤ ln 2 / 2; y ≤ 0. NaN stays NaN.
//
// The polynomial is a monic quintic in Knuth's adapted form: 3 multiplications and 5 additions where Estrin's order takes 6
// and 5, at a relative error of 4e-7 (rms 1.3e-7, mean 1e-8) instead of 2e-7, which averages out in a sum.
// Below e^-43.3 of the maximum a term is an exact 0: no square of a term is a denormal.

import { madd_x4 } from "./madd";

const CONSTANTS = memory.data<f32>([
  1.44269502, // 0: log2(e)
  -0.693147182, // 1: -ln 2
  12582975.0, // 2: 1.5·2^23 + 63: adding it rounds to an integer and leaves n + 63 in the low bits
  -43.6682739, // 3: -63·ln 2: here 2^(n-64) becomes the zero of the exponent field
  0.83578354, // 4: this and the next four: e^r / ROW_EXP_UNIT·2^64
  6.87013865, // 5
  34.5160561, // 6
  3.37734699, // 7
  -155.479431, // 8
  1.8446744073709552e19, // 9: 2^64
]);

/** What these terms are to be multiplied by. It makes e^0 an exact 1, in plain and in fused arithmetic. */
export const ROW_EXP_UNIT: f64 = 18446744073709551616.0 / 120.5;

// @ts-ignore: decorator
@inline
function constant(i: usize): v128 {
  return v128.load32_splat(CONSTANTS + (i << 2));
}

/** x - max, not below where e^y is 0. */
// @ts-ignore: decorator
@inline
export function row_distance_x4(x: v128, max: v128): v128 {
  return f32x4.pmax(f32x4.sub(x, max), constant(3));
}

/** n + 63 in the low bits. */
// @ts-ignore: decorator
@inline
export function row_bits_x4(y: v128): v128 {
  return madd_x4(y, constant(0), constant(2));
}

/** e^r, in its unit. */
// @ts-ignore: decorator
@inline
export function row_poly_x4(y: v128, bits: v128): v128 {
  const r = madd_x4(f32x4.sub(bits, constant(2)), constant(1), y);
  const w = madd_x4(r, f32x4.add(r, constant(4)), constant(5));
  const q = madd_x4(w, w, constant(6));
  return madd_x4(q, f32x4.add(r, constant(7)), constant(8));
}

/** 2^(n-64), or 0 */
// @ts-ignore: decorator
@inline
export function row_scale_x4(bits: v128): v128 {
  return i32x4.shl(bits, 23);
}

/** From terms to values around 1, whose squares are normal numbers. */
// @ts-ignore: decorator
@inline
export function row_unscaled_x4(term: v128): v128 {
  return f32x4.mul(term, constant(9));
}

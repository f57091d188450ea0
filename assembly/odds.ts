// What ORPO logs, from its losses: o = −log(e^x − 1) where a pair's loss is x = softplus(−o) in units of β.

import { hsum_f64 } from "./inline/hsum";
import { expm1_x4, log_x4, neg_x4 } from "./math";

const CONSTANTS = memory.data<f32>([
  1.0, // 0
  1.17549435e-38, // 1: the least normal number
  Infinity, // 2
  0.75, // 3
]);

// @ts-ignore: decorator
@inline
function constant(i: usize): v128 {
  return v128.load32_splat(CONSTANTS + (i << 2));
}

/** Bytes of vectors whose product of numbers from 3/4 to 3/2 stays within float32, whatever they are. */
const FACTORS: usize = 64 << 4;

/**
 * The sum of o over n pairs, a multiple of 4, from their losses and 1/β; NaN where a loss is not finite, or too small to have digits
 * left of it. A few thousand pairs at most.
 *
 * o = −x − log(1 − e^−x), which keeps the digits that x has. One logarithm is of a product of 64 numbers, whose exponents are counted
 * apart.
 */
export function odds_sum_f32(loss: usize, n: usize, inverse: f32): f64 {
  const scale = f32x4.splat(inverse);
  let x_sum = f32x4.splat(0);
  let logs = x_sum;
  let exponents = x_sum;
  let least = constant(2);
  const end = n << 2;
  for (let block: usize = 0; block < end; block += FACTORS) {
    let product = constant(0);
    const stop = min(block + FACTORS, end);
    for (let i: usize = block; i < stop; i += 16) {
      const value = v128.load(loss + i);
      const x = f32x4.mul(value, scale);
      const rest = neg_x4(expm1_x4(neg_x4(x)));
      least = f32x4.pmin(least, f32x4.pmin(rest, value));
      x_sum = f32x4.add(x_sum, x);
      const exponent = i32x4.shr_s(i32x4.sub(rest, constant(3)), 23);
      exponents = i32x4.add(exponents, exponent);
      product = f32x4.mul(product, i32x4.sub(rest, i32x4.shl(exponent, 23)));
    }
    logs = f32x4.add(logs, log_x4(product));
  }
  const total = hsum_f64(x_sum) + hsum_f64(logs) + hsum_f64(f32x4.convert_i32x4_s(exponents)) * NativeMath.LN2;
  // An infinite loss, and one that is NaN, is in the sum.
  const is_sound = i32x4.all_true(f32x4.ge(least, constant(1))) && total - total == 0;
  return is_sound ? -total : NaN;
}

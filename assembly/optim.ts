// Optimisers with PyTorch's definitions: the exports of optim.wasm.
//
// A separate module without static data or scratch: it can be instantiated over any memory, a backend's included, and is
// small enough to compile synchronously. It uses no fused multiply-add, so every engine gives the same bits.

import { load_part, store_part } from "./inline/part";

export { scale_f32 } from "./combine";

/**
 * m = β1·m + (1 − β1)·g;  v = β2·v + (1 − β2)·g²;  p = keep·p − rate·m / (√v + ε)
 *
 * The caller folds the bias corrections into rate = lr·√(1 − β2^t)/(1 − β1^t) and ε·√(1 − β2^t), which leaves one division per
 * element.
 */
export function adamw_f32(
  p: usize,
  g: usize,
  m: usize,
  v: usize,
  n: usize,
  keep: f32,
  beta1: f32,
  rest1: f32,
  beta2: f32,
  rest2: f32,
  rate: f32,
  eps: f32,
): void {
  const end = (n & ~3) << 2;
  let i: usize = 0;
  for (; i < end; i += 16) adamw_part(p + i, g + i, m + i, v + i, keep, beta1, rest1, beta2, rest2, rate, eps, false);
  for (const all = n << 2; i < all; i += 4)
    adamw_part(p + i, g + i, m + i, v + i, keep, beta1, rest1, beta2, rest2, rate, eps, true);
}

// @ts-ignore: decorator
@inline
function adamw_part(
  p: usize,
  g: usize,
  m: usize,
  v: usize,
  keep: f32,
  beta1: f32,
  rest1: f32,
  beta2: f32,
  rest2: f32,
  rate: f32,
  eps: f32,
  one: bool,
): void {
  const slope = load_part(g, one);
  const mean = f32x4.add(scaled_x4(load_part(m, one), beta1), scaled_x4(slope, rest1));
  const square = f32x4.add(scaled_x4(load_part(v, one), beta2), f32x4.mul(scaled_x4(slope, rest2), slope));
  const step = f32x4.div(scaled_x4(mean, rate), f32x4.add(f32x4.sqrt(square), f32x4.splat(eps)));
  store_part(m, mean, one);
  store_part(v, square, one);
  store_part(p, f32x4.sub(scaled_x4(load_part(p, one), keep), step), one);
}

/** d = g + decay·p;  p = p − lr·d */
export function sgd_f32(p: usize, g: usize, n: usize, lr: f32, decay: f32): void {
  const end = (n & ~3) << 2;
  let i: usize = 0;
  for (; i < end; i += 16) sgd_part(p + i, g + i, lr, decay, false);
  for (const all = n << 2; i < all; i += 4) sgd_part(p + i, g + i, lr, decay, true);
}

// @ts-ignore: decorator
@inline
function sgd_part(p: usize, g: usize, lr: f32, decay: f32, one: bool): void {
  const x = load_part(p, one);
  store_part(p, f32x4.sub(x, scaled_x4(decayed_x4(x, load_part(g, one), decay), lr)), one);
}

/** d = g + decay·p;  b = momentum·b + taken·d;  p = p − lr·b, with Nesterov's p = p − lr·(d + momentum·b) */
export function sgd_momentum_f32(
  p: usize,
  g: usize,
  b: usize,
  n: usize,
  lr: f32,
  decay: f32,
  momentum: f32,
  taken: f32,
  nesterov: bool,
): void {
  const end = (n & ~3) << 2;
  let i: usize = 0;
  for (; i < end; i += 16) momentum_part(p + i, g + i, b + i, lr, decay, momentum, taken, nesterov, false);
  for (const all = n << 2; i < all; i += 4)
    momentum_part(p + i, g + i, b + i, lr, decay, momentum, taken, nesterov, true);
}

// @ts-ignore: decorator
@inline
function momentum_part(
  p: usize,
  g: usize,
  b: usize,
  lr: f32,
  decay: f32,
  momentum: f32,
  taken: f32,
  nesterov: bool,
  one: bool,
): void {
  const x = load_part(p, one);
  const slope = decayed_x4(x, load_part(g, one), decay);
  const velocity = f32x4.add(scaled_x4(load_part(b, one), momentum), scaled_x4(slope, taken));
  const step = nesterov ? f32x4.add(slope, scaled_x4(velocity, momentum)) : velocity;
  store_part(b, velocity, one);
  store_part(p, f32x4.sub(x, scaled_x4(step, lr)), one);
}

// Without decay there is no product, since 0·∞ would be NaN.
// @ts-ignore: decorator
@inline
function decayed_x4(x: v128, slope: v128, decay: f32): v128 {
  return decay == 0 ? slope : f32x4.add(slope, scaled_x4(x, decay));
}

// @ts-ignore: decorator
@inline
function scaled_x4(x: v128, factor: f32): v128 {
  return f32x4.mul(x, f32x4.splat(factor));
}

/** Σx² of n float32 values in float64, where squares are exact and cannot overflow. Eight partial sums in a fixed order. */
export function square_sum_f32(x: usize, n: usize): f64 {
  let s0 = f64x2.splat(0);
  let s1 = s0;
  let s2 = s0;
  let s3 = s0;
  const end = (n & ~7) << 2;
  let i: usize = 0;
  for (; i < end; i += 32) {
    s0 = f64x2.add(s0, squares_x2(x + i));
    s1 = f64x2.add(s1, squares_x2(x + i + 8));
    s2 = f64x2.add(s2, squares_x2(x + i + 16));
    s3 = f64x2.add(s3, squares_x2(x + i + 24));
  }
  const s = f64x2.add(f64x2.add(s0, s1), f64x2.add(s2, s3));
  let sum = f64x2.extract_lane(s, 0) + f64x2.extract_lane(s, 1);
  for (const all = n << 2; i < all; i += 4) {
    const value = <f64>load<f32>(x + i);
    sum += value * value;
  }
  return sum;
}

// @ts-ignore: decorator
@inline
function squares_x2(at: usize): v128 {
  const x = f64x2.promote_low_f32x4(v128.load64_zero(at));
  return f64x2.mul(x, x);
}

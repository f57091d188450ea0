// The way back: out = g·(1[v = label] - e^(x - max)/sum), the gradient of g·log p(label) with respect to a row of logits,
// from the state that `logsumexp` leaves. Takes a row in any pieces; `label` is an index into the piece, or -1.
//
// The factor -g/sum is part of the exponential: its exponent of the rounding constant and the lower clamp, the rest of the
// polynomial. So a result is a normal number or an exact 0, never a denormal.
// measured: with denormals, 12 ns per logit instead of 0.7.

import { scale_f32 } from "./combine";
import { narrow_bf16, narrow_f16 } from "./half";
import { madd_x4 } from "./inline/madd";
import { as_f32, BF16, BLOCK, F16, F32, padded_rest, shift_of, WIDE } from "./row-types";

const CONSTANTS = memory.data<f32>([
  1.44269502, // 0: log2(e)
  -0.693145752, // 1: -ln 2, high part: 15 bits, so that n·high is exact
  -1.42860677e-6, // 2: -ln 2, low part
]);

// e^r on ±ln 2 / 2, relative error 9e-8, exact at 0.
const POLYNOMIAL = memory.data<f64>([
  1.0,
  0.9999997063111189,
  0.4999914783543918,
  0.1666763813012339,
  0.041898160393905544,
  0.008290272286476833,
]);

// Of the row at hand:   0 maximum   1 rounding constant   2 lower clamp   3 ... 8 polynomial   9 factor afterwards
const ROW = memory.data(40, 16);

/** g·log p(label) of a row: its gradient, over the logits themselves if `out` is `x`. */
export function logits_grad_f32(x: usize, out: usize, n: usize, label: isize, g: f64, max: f64, sum: f64): void {
  grad_row(F32, F32, x, out, n, label, g, max, sum);
}

export function logits_grad_f16(x: usize, out: usize, n: usize, label: isize, g: f64, max: f64, sum: f64): void {
  grad_row(F16, F16, x, out, n, label, g, max, sum);
}

export function logits_grad_bf16(x: usize, out: usize, n: usize, label: isize, g: f64, max: f64, sum: f64): void {
  grad_row(BF16, BF16, x, out, n, label, g, max, sum);
}

export function logits_grad_f16_f32(x: usize, out: usize, n: usize, label: isize, g: f64, max: f64, sum: f64): void {
  grad_row(F16, F32, x, out, n, label, g, max, sum);
}

export function logits_grad_bf16_f32(x: usize, out: usize, n: usize, label: isize, g: f64, max: f64, sum: f64): void {
  grad_row(BF16, F32, x, out, n, label, g, max, sum);
}

function grad_row(
  type: i32,
  out_type: i32,
  x: usize,
  out: usize,
  n: usize,
  label: isize,
  g: f64,
  max: f64,
  sum: f64,
): void {
  if (g == 0) {
    memory.fill(out, 0, n << shift_of(out_type));
    return;
  }
  set_row(g, max, sum);
  const whole = n & ~15;
  for (let i: usize = 0; i < whole; i += BLOCK) {
    const size = min(BLOCK, whole - i);
    grad_block(type, out_type, x + (i << shift_of(type)), out + (i << shift_of(out_type)), size, label - i, g);
  }
  const rest = n & 15;
  if (rest == 0) return;
  const padded = padded_rest(type, x + (whole << shift_of(type)), rest);
  grad_block(type, out_type, padded, REST_OUT, 16, label - whole, g);
  memory.copy(out + (whole << shift_of(out_type)), REST_OUT, rest << shift_of(out_type));
}

const REST_OUT = memory.data(64, 16);

function grad_block(type: i32, out_type: i32, x: usize, out: usize, n: usize, label: usize, g: f64): void {
  if (type == F32) touch(x, n);
  const wide = as_f32(type, x, n);
  const grad = out_type == F32 ? out : WIDE;
  exp_row_f32(wide, grad, n);
  const factor = load<f32>(ROW, 36);
  if (label < n) {
    const p = grad + (label << 2);
    store<f32>(p, <f32>((factor == 1 ? g : g < 0 ? -1 : 1) + <f64>load<f32>(p)));
  }
  if (factor != 1) scale_f32(grad, n, factor);
  if (out_type == F16) narrow_f16(WIDE, out, n);
  else if (out_type == BF16) narrow_bf16(WIDE, out, n);
}

// Splits -g/sum into 2^e and a rest of 1..2. Where it is no number below 2^126, the gradient is that of ±1 times |g|, or NaN.
function set_row(g: f64, max: f64, sum: f64): void {
  let factor: f32 = 1;
  let c = -g / sum;
  if (!(abs(c) < 8.507059173023462e37)) {
    factor = sum > 0 ? <f32>abs(g) : NaN;
    c = (g < 0 ? 1 : -1) / (sum > 0 ? sum : 1);
  }
  const e = (<i32>(reinterpret<u64>(c) >> 52) & 0x7ff) - 1023;
  const rest = reinterpret<f64>((reinterpret<u64>(c) & 0x800fffffffffffff) | 0x3ff0000000000000);
  store<f32>(ROW, <f32>max);
  const field = e + 126;
  store<f32>(ROW, 12582912 + <f32>field, 4);
  store<f32>(ROW, <f32>(<f64>field * -0.6931471805599453), 8);
  for (let i: usize = 0; i < 6; i++) store<f32>(ROW + (i << 2), <f32>(2 * rest * load<f64>(POLYNOMIAL + (i << 3))), 12);
  store<f32>(ROW, factor, 36);
}

// One load per cache line, ahead of the arithmetic, which would leave few of them in flight.
// measured: 2.5 ns per logit without, 0.75 with it.
function touch(x: usize, n: usize): void {
  let seen: i32 = 0;
  for (const end = x + (n << 2); x < end; x += 64) seen ^= load<i32>(x);
  store<i32>(REST_OUT, seen); // keeps the loads alive
}

function exp_row_f32(x: usize, out: usize, n: usize): void {
  for (const end = x + (n << 2); x < end; x += 64, out += 64) {
    v128.store(out, scaled_exp_x4(v128.load(x)));
    v128.store(out, scaled_exp_x4(v128.load(x, 16)), 16);
    v128.store(out, scaled_exp_x4(v128.load(x, 32)), 32);
    v128.store(out, scaled_exp_x4(v128.load(x, 48)), 48);
  }
}

// @ts-ignore: decorator
@inline
function scaled_exp_x4(x: v128): v128 {
  const y = f32x4.pmax(f32x4.sub(x, row(0)), row(2));
  const bits = madd_x4(y, constant(0), row(1));
  const n = f32x4.sub(bits, row(1));
  const r = madd_x4(n, constant(2), madd_x4(n, constant(1), y));
  const r2 = f32x4.mul(r, r);
  const high = madd_x4(r, row(8), row(7));
  const middle = madd_x4(r, row(6), row(5));
  const low = madd_x4(r, row(4), row(3));
  return f32x4.mul(madd_x4(r2, madd_x4(r2, high, middle), low), i32x4.shl(bits, 23));
}

// @ts-ignore: decorator
@inline
function constant(i: usize): v128 {
  return v128.load32_splat(CONSTANTS + (i << 2));
}

// @ts-ignore: decorator
@inline
function row(i: usize): v128 {
  return v128.load32_splat(ROW + (i << 2));
}

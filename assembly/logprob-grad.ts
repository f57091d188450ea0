// The way back: out = g·(1[v = label] - e^(x - max)/sum), the gradient of g·log p(label) with respect to a row of
// logits, from the state that `logsumexp` leaves. Takes a row in any pieces; `label` is an index into the piece, or -1.
//
// g = 0 gives zeros whatever the logits. A logit of -Infinity gives 0, NaN gives NaN; a sum of 0 or NaN makes all NaN.
// A g beyond float32 counts as infinite, and a factor of 0 wins against it: `infinite_f32`.

import { scale_f32 } from "./combine";
import { exp_row_f32, set_row } from "./logprob-exp";
import { narrow_bf16, narrow_f16 } from "./narrow";
import { BF16, block_of, F16, F32, padded_rest, shift_of, touch } from "./row-blocks";
import { rest_out_scratch, row_scratch, wide_scratch } from "./scratch";
import { widen_bf16, widen_scaled_f16 } from "./widen";

/** Gradient of the type of the logits; `out` may be `x`. */
export function logits_grad_f32(x: usize, out: usize, n: usize, label: usize, g: f64, max: f64, sum: f64): void {
  grad_row(F32, F32, x, out, n, label, g, max, sum);
}

export function logits_grad_f16(x: usize, out: usize, n: usize, label: usize, g: f64, max: f64, sum: f64): void {
  grad_row(F16, F16, x, out, n, label, g, max, sum);
}

export function logits_grad_bf16(x: usize, out: usize, n: usize, label: usize, g: f64, max: f64, sum: f64): void {
  grad_row(BF16, BF16, x, out, n, label, g, max, sum);
}

/** Gradient in float32. */
export function logits_grad_f16_f32(x: usize, out: usize, n: usize, label: usize, g: f64, max: f64, sum: f64): void {
  grad_row(F16, F32, x, out, n, label, g, max, sum);
}

export function logits_grad_bf16_f32(x: usize, out: usize, n: usize, label: usize, g: f64, max: f64, sum: f64): void {
  grad_row(BF16, F32, x, out, n, label, g, max, sum);
}

function grad_row(
  type: i32,
  out_type: i32,
  x: usize,
  out: usize,
  n: usize,
  label: usize,
  g: f64,
  max: f64,
  sum: f64,
): void {
  const shift = shift_of(type);
  const out_shift = shift_of(out_type);
  if (g == 0) {
    memory.fill(out, 0, n << out_shift);
    return;
  }
  // Where -g/sum is no number below 2^126: the gradient of ±1, times |g|.
  const scale = abs(g) < 8.507059173023462e37 ? 1 : abs(g);
  const unit = scale == 1 ? g : g < 0 ? -1 : 1;
  // float16 logits come times 2^112.
  set_row(max, sum > 0 ? -unit / sum : NaN, type == F16 ? 5192296858534827628530496329220096.0 : 1);
  // Whether the greatest logit has all of the probability, in float32.
  const sure = <f32>sum == 1;
  const whole = n & ~15;
  const block = block_of(type);
  for (let i: usize = 0; i < whole; i += block) {
    const size = min(block, whole - i);
    grad_block(type, out_type, x + (i << shift), out + (i << out_shift), size, label - i, unit, <f32>scale, sure);
  }
  const rest = n & 15;
  if (rest == 0) return;
  const padded = padded_rest(type, x + (whole << shift), rest);
  grad_block(type, out_type, padded, rest_out_scratch(), 16, label - whole, unit, <f32>scale, sure);
  memory.copy(out + (whole << out_shift), rest_out_scratch(), rest << out_shift);
}

// A label of another block wraps around and is beyond n.
function grad_block(
  type: i32,
  out_type: i32,
  x: usize,
  out: usize,
  n: usize,
  label: usize,
  g: f64,
  scale: f32,
  sure: bool,
): void {
  touch(x, n << shift_of(type));
  if (type == F16) widen_scaled_f16(x, wide_scratch(), n);
  else if (type == BF16) widen_bf16(x, wide_scratch(), n);
  const grad = out_type == F32 ? out : wide_scratch();
  const wide = type == F32 ? x : wide_scratch();
  if (scale == Infinity) {
    infinite_f32(wide, grad, n, label, g, sure);
  } else {
    exp_row_f32(wide, grad, n);
    if (label < n) {
      const p = grad + (label << 2);
      store<f32>(p, <f32>(g + <f64>load<f32>(p)));
    }
    if (scale != 1) scale_f32(grad, n, scale);
  }
  if (out_type == F16) narrow_f16(wide_scratch(), out, n);
  else if (out_type == BF16) narrow_bf16(wide_scratch(), out, n);
}

// The gradient of an infinite g, whose sign `g` is: -g for every logit but those of -Infinity, which have no probability, and g
// for the label, unless that has all of it. No probability is computed, since all but those are above 0 however small.
function infinite_f32(x: usize, out: usize, n: usize, label: usize, g: f64, sure: bool): void {
  const most = load<f32>(row_scratch());
  // NaN where the row has no softmax.
  const rest = load<f32>(row_scratch(), 16);
  for (let i: usize = 0; i < n; i++) {
    const at = i << 2;
    const logit = load<f32>(x + at);
    let slope: f32 = 0;
    if (rest != rest) slope = NaN;
    else if (i == label) slope = sure && logit == most ? 0 : <f32>(g * Infinity);
    else if (logit != -Infinity) slope = <f32>(-g * Infinity);
    store<f32>(out + at, slope);
  }
}

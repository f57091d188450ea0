// The way back through a transform of logits in one pass: out = dz/dx·g·(1[v = label] - e^(z - max)/sum), from z, which
// `transform_f32` gave. dz/dx is inner, or inner·outer·(1 - (z/outer)²) under a softcap: a constant goes into g, and the rest is
// a factor of each exponential.

import { exp_row_capped_f32, set_row } from "./logprob-exp";
import { logits_grad_f32 } from "./logprob-grad";
import { block_of, F32, padded_rest, touch } from "./row-blocks";
import { rest_out_scratch, wide_scratch } from "./scratch";
import { transform_grad_f32 } from "./transform";

// What fits into `wide_scratch`.
const APART: usize = 8192;

/** As `logits_grad_f32`; `out` may be `z`. A slope of 0 wins against an infinite g. */
export function logits_grad_through_f32(
  z: usize,
  out: usize,
  n: usize,
  label: usize,
  g: f64,
  max: f64,
  sum: f64,
  inner: f32,
  outer: f32,
): void {
  const factor = outer == 0 ? <f64>g * inner : <f64>g * inner * outer;
  // What fits into float32 with room to spare, and so do squares of z.
  const is_usual = abs(factor) < 8.507059173023462e37 && abs(g) < 8.507059173023462e37 && outer < 1e18;
  if (is_usual && outer == 0) logits_grad_f32(z, out, n, label, factor, max, sum);
  else if (is_usual && g != 0 && outer > 1e-18) capped_grad(z, out, n, label, factor, max, sum, outer);
  else apart(z, out, n, label, g, max, sum, inner, outer);
}

function capped_grad(z: usize, out: usize, n: usize, label: usize, g: f64, max: f64, sum: f64, outer: f32): void {
  set_row(max, sum > 0 ? -g / sum : NaN, 1);
  // Three units in the last place more than it should be: where z is ±outer, the rest is below 0 whatever is rounded.
  const rest = <f32>(1.0000002384185791 / (<f64>outer * <f64>outer));
  const whole = n & ~15;
  const block = block_of(F32);
  for (let i: usize = 0; i < whole; i += block) {
    capped_block(z + (i << 2), out + (i << 2), min(block, whole - i), label - i, g, outer, rest);
  }
  const left = n & 15;
  if (left == 0) return;
  const padded = padded_rest(F32, z + (whole << 2), left);
  capped_block(padded, rest_out_scratch(), 16, label - whole, g, outer, rest);
  memory.copy(out + (whole << 2), rest_out_scratch(), left << 2);
}

// A label of another block wraps around and is beyond n.
function capped_block(z: usize, out: usize, n: usize, label: usize, g: f64, outer: f32, rest: f32): void {
  touch(z, n << 2);
  const t = label < n ? <f64>load<f32>(z + (label << 2)) / outer : 0;
  exp_row_capped_f32(z, out, n, rest);
  if (label >= n) return;
  const at = out + (label << 2);
  store<f32>(at, <f32>(g * (1 - t * t) + <f64>load<f32>(at)));
}

function apart(
  z: usize,
  out: usize,
  n: usize,
  label: usize,
  g: f64,
  max: f64,
  sum: f64,
  inner: f32,
  outer: f32,
): void {
  for (let i: usize = 0; i < n; i += APART) {
    const size = min(APART, n - i);
    const to = out + (i << 2);
    memory.copy(wide_scratch(), z + (i << 2), size << 2);
    logits_grad_f32(wide_scratch(), to, size, label - i, g, max, sum);
    // A token without a gradient has none whatever its logits.
    if (g != 0) transform_grad_f32(wide_scratch(), to, size, inner, outer);
  }
}

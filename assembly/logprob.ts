// What a row of logits comes down to, for its log-probabilities and its gradient. A row is taken in piece by piece, in any
// pieces, so that one of any size passes through a small buffer.
//
// A row's state is five float64s:   0 maximum   1 Σ e^d   2 Σ e^d·d   3 Σ e^2d   4 Σ x   with d = x - maximum
// `logsumexp` keeps the first two, `logits_stats` all. A fresh state is -Infinity, 0, 0, 0, 0.
//
//   logsumexp = state[0] + log(state[1])
//
// -Infinity adds nothing to the sums of exponentials; NaN and +Infinity make them NaN. A row of -Infinity alone leaves the
// fresh state's first four.

import { hsum_f64 } from "./inline/hsum";
import { madd_x4 } from "./inline/madd";
import {
  ROW_EXP_UNIT,
  row_bits_x4,
  row_distance_x4,
  row_poly_x4,
  row_scale_x4,
  row_unscaled_x4,
} from "./inline/row-exp";
import { sum_f32 } from "./reduce";
import { as_f32, BF16, BLOCK, F16, F32, padded_rest, shift_of } from "./row-types";

export function logsumexp_f32(x: usize, n: usize, state: usize): void {
  take_row(F32, x, n, state, false);
}

export function logsumexp_f16(x: usize, n: usize, state: usize): void {
  take_row(F16, x, n, state, false);
}

export function logsumexp_bf16(x: usize, n: usize, state: usize): void {
  take_row(BF16, x, n, state, false);
}

export function logits_stats_f32(x: usize, n: usize, state: usize): void {
  take_row(F32, x, n, state, true);
}

export function logits_stats_f16(x: usize, n: usize, state: usize): void {
  take_row(F16, x, n, state, true);
}

export function logits_stats_bf16(x: usize, n: usize, state: usize): void {
  take_row(BF16, x, n, state, true);
}

function take_row(type: i32, x: usize, n: usize, state: usize, stats: bool): void {
  const whole = n & ~15;
  for (let i: usize = 0; i < whole; i += BLOCK) {
    const size = min(BLOCK, whole - i);
    take_block(as_f32(type, x + (i << shift_of(type)), size), size, state, stats);
  }
  const rest = n & 15;
  if (rest == 0) return;
  const wide = as_f32(type, padded_rest(type, x + (whole << shift_of(type)), rest), 16);
  const total = load<f64>(state, 32);
  take_block(wide, 16, state, stats);
  if (stats) store<f64>(state, total + sum_f32(wide, rest), 32); // without the padding
}

// The first pass brings the block into the cache: the long arithmetic of the second would leave few loads in flight.
function take_block(x: usize, n: usize, state: usize, stats: bool): void {
  const max = raise_max(state, <f64>max_f32(x, n));
  if (stats) add_stats(x, n, max, state);
  else store<f64>(state, load<f64>(state, 8) + sum_exp_f32(x, n, max) * ROW_EXP_UNIT, 8);
}

// The running maximum with that of a block: if it rises, the sums so far are taken relative to the new one.
function raise_max(state: usize, max: f64): f32 {
  const old = load<f64>(state);
  if (max > old) {
    store<f64>(state, max);
    if (old > -Infinity) {
      const d = old - max;
      const e = exp_f64(d);
      const sum = load<f64>(state, 8);
      store<f64>(state, sum * e, 8);
      store<f64>(state, (load<f64>(state, 16) + d * sum) * e, 16);
      store<f64>(state, load<f64>(state, 24) * e * e, 24);
    }
    return <f32>max;
  }
  return old > -Infinity ? <f32>old : 0; // relative to 0, e^-Infinity is 0 and e^NaN still NaN
}

// e^d for d ≤ 0; a few times a row.
function exp_f64(d: f64): f64 {
  if (!(d > -700)) return 0;
  const n = nearest(d * 1.4426950408889634);
  const r = d - n * 0.6931471805599453;
  let e: f64 = 1;
  for (let k: f64 = 12; k > 0; k--) e = 1 + (e * r) / k;
  return e * reinterpret<f64>((<i64>n + 1023) << 52);
}

// measured: pmax 0.15 ns per logit, max 1.3. NaN is no maximum.
function max_f32(x: usize, n: usize): f32 {
  let m0 = f32x4.splat(-Infinity);
  let m1 = m0;
  let m2 = m0;
  let m3 = m0;
  for (const end = x + (n << 2); x < end; x += 64) {
    m0 = f32x4.pmax(m0, v128.load(x));
    m1 = f32x4.pmax(m1, v128.load(x, 16));
    m2 = f32x4.pmax(m2, v128.load(x, 32));
    m3 = f32x4.pmax(m3, v128.load(x, 48));
  }
  const m = f32x4.pmax(f32x4.pmax(m0, m1), f32x4.pmax(m2, m3));
  return max(
    max(f32x4.extract_lane(m, 0), f32x4.extract_lane(m, 1)),
    max(f32x4.extract_lane(m, 2), f32x4.extract_lane(m, 3)),
  );
}

function sum_exp_f32(x: usize, n: usize, max: f32): f64 {
  const m = f32x4.splat(max);
  let s0 = f32x4.splat(0);
  let s1 = s0;
  let s2 = s0;
  let s3 = s0;
  for (const end = x + (n << 2); x < end; x += 64) {
    s0 = add_exp_x4(v128.load(x), m, s0);
    s1 = add_exp_x4(v128.load(x, 16), m, s1);
    s2 = add_exp_x4(v128.load(x, 32), m, s2);
    s3 = add_exp_x4(v128.load(x, 48), m, s3);
  }
  return hsum_f64(f32x4.add(f32x4.add(s0, s1), f32x4.add(s2, s3)));
}

// @ts-ignore: decorator
@inline
function add_exp_x4(x: v128, max: v128, sum: v128): v128 {
  const y = row_distance_x4(x, max);
  const bits = row_bits_x4(y);
  return madd_x4(row_poly_x4(y, bits), row_scale_x4(bits), sum);
}

function add_stats(x: usize, n: usize, max: f32, state: usize): void {
  const m = f32x4.splat(max);
  let e0 = f32x4.splat(0);
  let e1 = e0;
  let ed0 = e0;
  let ed1 = e0;
  let ee0 = e0;
  let ee1 = e0;
  let x0 = e0;
  let x1 = e0;
  for (const end = x + (n << 2); x < end; x += 32) {
    const a = v128.load(x);
    const b = v128.load(x, 16);
    const ya = row_distance_x4(a, m);
    const yb = row_distance_x4(b, m);
    const bits_a = row_bits_x4(ya);
    const bits_b = row_bits_x4(yb);
    const ea = row_unscaled_x4(f32x4.mul(row_poly_x4(ya, bits_a), row_scale_x4(bits_a)));
    const eb = row_unscaled_x4(f32x4.mul(row_poly_x4(yb, bits_b), row_scale_x4(bits_b)));
    e0 = f32x4.add(e0, ea);
    e1 = f32x4.add(e1, eb);
    ed0 = madd_x4(ea, ya, ed0);
    ed1 = madd_x4(eb, yb, ed1);
    ee0 = madd_x4(ea, ea, ee0);
    ee1 = madd_x4(eb, eb, ee1);
    x0 = f32x4.add(x0, a);
    x1 = f32x4.add(x1, b);
  }
  const unit = ROW_EXP_UNIT / 18446744073709551616.0;
  store<f64>(state, load<f64>(state, 8) + hsum_f64(f32x4.add(e0, e1)) * unit, 8);
  store<f64>(state, load<f64>(state, 16) + hsum_f64(f32x4.add(ed0, ed1)) * unit, 16);
  store<f64>(state, load<f64>(state, 24) + hsum_f64(f32x4.add(ee0, ee1)) * unit * unit, 24);
  store<f64>(state, load<f64>(state, 32) + hsum_f64(f32x4.add(x0, x1)), 32);
}

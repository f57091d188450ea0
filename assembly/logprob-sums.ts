// The passes over one block of a row: n float32 logits, a multiple of 16.

import { hsum_f64 } from "./inline/hsum";
import { hmax_f32 } from "./inline/lanes";
import { madd_x4 } from "./inline/madd";
import { ROW_EXP_UNIT, row_add_exp_x4, row_distance_x4, row_whole_exp_x4 } from "./inline/row-exp";

// Bytes that are summed in float32 lanes before they go into a float64.
// measured: all in float32 lanes, 5e-6 off where many logits are equal; the extra additions cost nothing.
const CHUNK: usize = 2048;

/**
 * The greatest logit; NaN is none. In four places at once, since a prefetcher follows one stream per page and stops at
 * its end.
 * measured: from memory 0.28 ns per logit, in one place 0.36; with f32x4.max 1.3.
 */
export function max_f32(x: usize, n: usize): f32 {
  let m0 = f32x4.splat(-Infinity);
  let m1 = m0;
  let m2 = m0;
  let m3 = m0;
  let m4 = m0;
  let m5 = m0;
  let m6 = m0;
  let m7 = m0;
  const all = x + (n << 2);
  const quarter = n & ~31;
  for (const end = x + quarter; x < end; x += 32) {
    m0 = f32x4.pmax(m0, v128.load(x));
    m1 = f32x4.pmax(m1, v128.load(x, 16));
    m2 = f32x4.pmax(m2, v128.load(x + quarter));
    m3 = f32x4.pmax(m3, v128.load(x + quarter, 16));
    m4 = f32x4.pmax(m4, v128.load(x + 2 * quarter));
    m5 = f32x4.pmax(m5, v128.load(x + 2 * quarter, 16));
    m6 = f32x4.pmax(m6, v128.load(x + 3 * quarter));
    m7 = f32x4.pmax(m7, v128.load(x + 3 * quarter, 16));
  }
  for (x += 3 * quarter; x < all; x += 16) m0 = f32x4.pmax(m0, v128.load(x));
  return hmax_f32(f32x4.pmax(m0, m1), f32x4.pmax(m2, m3), f32x4.pmax(m4, m5), f32x4.pmax(m6, m7));
}

/** Adds Σ e^(x - max). */
export function add_exp(x: usize, n: usize, max: f32, state: usize): void {
  const m = f32x4.splat(max);
  let sum: f64 = 0;
  for (const all = x + (n << 2); x < all; ) {
    let s0 = f32x4.splat(0);
    let s1 = s0;
    let s2 = s0;
    let s3 = s0;
    for (const end = min(x + CHUNK, all); x < end; x += 64) {
      s0 = row_add_exp_x4(row_distance_x4(v128.load(x), m), s0);
      s1 = row_add_exp_x4(row_distance_x4(v128.load(x, 16), m), s1);
      s2 = row_add_exp_x4(row_distance_x4(v128.load(x, 32), m), s2);
      s3 = row_add_exp_x4(row_distance_x4(v128.load(x, 48), m), s3);
    }
    sum += hsum_f64(f32x4.add(f32x4.add(s0, s1), f32x4.add(s2, s3)));
  }
  store<f64>(state, load<f64>(state, 8) + sum * ROW_EXP_UNIT, 8);
}

/** Adds Σ e^d, Σ e^d·d, Σ e^2d and Σ x. */
export function add_all(x: usize, n: usize, max: f32, state: usize): void {
  const m = f32x4.splat(max);
  for (const all = x + (n << 2); x < all; ) {
    let s0 = f32x4.splat(0);
    let s1 = s0;
    let d0 = s0;
    let d1 = s0;
    let q0 = s0;
    let q1 = s0;
    let x0 = s0;
    let x1 = s0;
    for (const end = min(x + CHUNK, all); x < end; x += 32) {
      const a = v128.load(x);
      const b = v128.load(x, 16);
      const y0 = row_distance_x4(a, m);
      const y1 = row_distance_x4(b, m);
      const e0 = row_whole_exp_x4(y0);
      const e1 = row_whole_exp_x4(y1);
      s0 = f32x4.add(s0, e0);
      s1 = f32x4.add(s1, e1);
      d0 = madd_x4(e0, y0, d0);
      d1 = madd_x4(e1, y1, d1);
      q0 = madd_x4(e0, e0, q0);
      q1 = madd_x4(e1, e1, q1);
      x0 = f32x4.add(x0, a);
      x1 = f32x4.add(x1, b);
    }
    store<f64>(state, load<f64>(state, 8) + hsum_f64(f32x4.add(s0, s1)), 8);
    store<f64>(state, load<f64>(state, 16) + hsum_f64(f32x4.add(d0, d1)), 16);
    store<f64>(state, load<f64>(state, 24) + hsum_f64(f32x4.add(q0, q1)), 24);
    store<f64>(state, load<f64>(state, 32) + hsum_f64(f32x4.add(x0, x1)), 32);
  }
}

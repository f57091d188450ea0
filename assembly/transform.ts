// What models do to their logits before anything looks at them: z = inner·x, or z = outer·tanh(inner·x) under a softcap.
// With logit scale k, softcap c and temperature T, inner is k/c and outer c/T; without a softcap inner is k/T, and outer 0.

import { hsum_f64 } from "./inline/hsum";
import { hmax_f32 } from "./inline/lanes";
import { madd_x4 } from "./inline/madd";
import { load_part, store_part } from "./inline/part";
import { neg_x4, scale_tanh, tanh_scaled_x4 } from "./math";
import { curve_scratch } from "./scratch";

// Logits that are looked at together, which brings them into the cache, and tells whether all are near.
const BLOCK: usize = 32768;

/** n logits; `out` may be `x`. -Infinity is -outer under a softcap, as tanh has it. */
export function transform_f32(x: usize, out: usize, n: usize, inner: f32, outer: f32): void {
  if (outer == 0) scale_into(x, out, n, f32x4.splat(inner));
  else soft_cap(x, out, n, inner, outer);
}

/**
 * Takes a gradient with respect to z, in `grad`, to one with respect to x. Under a softcap dz/dx = inner·outer·(1 - (z/outer)²),
 * which is 0 where tanh has rounded to ±1: the gradient is 0 there, an infinite one too. `z` is what `transform_f32` gave.
 */
export function transform_grad_f32(z: usize, grad: usize, n: usize, inner: f32, outer: f32): void {
  if (outer == 0) scale_into(grad, grad, n, f32x4.splat(inner));
  else through_cap(z, grad, n, f32x4.splat(1 / outer), f32x4.splat(inner * outer), f32x4.splat(abs(outer)));
}

function scale_into(x: usize, out: usize, n: usize, factor: v128): void {
  const end = x + (n << 2);
  for (const whole = x + ((n & ~15) << 2); x < whole; x += 64, out += 64) {
    v128.store(out, f32x4.mul(v128.load(x), factor));
    v128.store(out, f32x4.mul(v128.load(x, 16), factor), 16);
    v128.store(out, f32x4.mul(v128.load(x, 32), factor), 32);
    v128.store(out, f32x4.mul(v128.load(x, 48), factor), 48);
  }
  for (; x < end; x += 4, out += 4) store_part(out, f32x4.mul(load_part(x, true), factor), true);
}

function soft_cap(x: usize, out: usize, n: usize, inner: f32, outer: f32): void {
  set_cap(inner, outer);
  for (let i: usize = 0; i < n; i += BLOCK) {
    const size = min(BLOCK, n - i);
    const at = x + (i << 2);
    cap_f32(at, out + (i << 2), size, are_near(at, size & ~15, inner));
  }
}

// The softcap at hand:   0 ... 5 coefficients of tanh   6 its cap   7 what is far out   8 what logits come times, or 1
export function set_cap(inner: f32, outer: f32): void {
  // `inner` goes into the coefficients, or beforehand into the logits.
  const is_usual = inner >= 0.00390625 && inner <= 256;
  const factor: f32 = is_usual ? inner : 1;
  scale_tanh(factor, curve_scratch());
  store<f32>(curve_scratch(), outer, 24);
  store<f32>(curve_scratch(), 20 / factor, 28);
  store<f32>(curve_scratch(), is_usual ? 1 : inner, 32);
}

/** n logits under that softcap; gives the greatest of the results, of which NaN is none. `near` is that of `are_near`. */
export function cap_f32(x: usize, out: usize, n: usize, near: bool): f32 {
  const outer = v128.load32_splat(curve_scratch(), 24);
  const before = load<f32>(curve_scratch(), 32);
  if (before != 1) {
    scale_into(x, out, n, f32x4.splat(before));
    x = out;
  }
  const whole = near ? n & ~15 : 0;
  const most = cap_near(x, out, whole, outer, curve_scratch());
  return whole == n ? most : max(most, cap_any(x + (whole << 2), out + (whole << 2), n - whole, outer, curve_scratch()));
}

/**
 * Whether none of n numbers, a multiple of 16, is beyond ±100/factor: by the sum of their squares, which costs less than their
 * greatest. In four places at once, as in `max_f32`.
 */
export function are_near(x: usize, n: usize, factor: f32): bool {
  let a = f32x4.splat(0);
  let b = a;
  let c = a;
  let d = a;
  for (const end = x + n; x < end; x += 16) {
    const p = v128.load(x);
    const q = v128.load(x + n);
    const r = v128.load(x + 2 * n);
    const s = v128.load(x + 3 * n);
    a = madd_x4(p, p, a);
    b = madd_x4(q, q, b);
    c = madd_x4(r, r, c);
    d = madd_x4(s, s, d);
  }
  const sum = hsum_f64(f32x4.add(f32x4.add(a, b), f32x4.add(c, d)));
  return sum * factor * factor <= 10000;
}

// Four vectors at a time, so that their chains overlap.
function cap_near(x: usize, out: usize, n: usize, outer: v128, curve: usize): f32 {
  let m0 = f32x4.splat(-Infinity);
  let m1 = m0;
  let m2 = m0;
  let m3 = m0;
  for (const end = x + (n << 2); x < end; x += 64, out += 64) {
    const a = f32x4.mul(tanh_scaled_x4(v128.load(x), curve), outer);
    const b = f32x4.mul(tanh_scaled_x4(v128.load(x, 16), curve), outer);
    const c = f32x4.mul(tanh_scaled_x4(v128.load(x, 32), curve), outer);
    const d = f32x4.mul(tanh_scaled_x4(v128.load(x, 48), curve), outer);
    v128.store(out, a);
    v128.store(out, b, 16);
    v128.store(out, c, 32);
    v128.store(out, d, 48);
    m0 = f32x4.pmax(m0, a);
    m1 = f32x4.pmax(m1, b);
    m2 = f32x4.pmax(m2, c);
    m3 = f32x4.pmax(m3, d);
  }
  return hmax_f32(m0, m1, m2, m3);
}

// The same numbers, of logits that are far out as well.
function cap_any(x: usize, out: usize, n: usize, outer: v128, curve: usize): f32 {
  const far = v128.load32_splat(curve, 28);
  const none = f32x4.splat(-Infinity);
  let most = none;
  const whole = x + ((n & ~3) << 2);
  for (const end = x + (n << 2); x < end; ) {
    const one = x >= whole;
    const y = f32x4.pmin(f32x4.pmax(load_part(x, one), neg_x4(far)), far);
    const z = f32x4.mul(tanh_scaled_x4(y, curve), outer);
    store_part(out, z, one);
    // Lanes of nothing are those of a logit of 0.
    most = f32x4.pmax(most, one ? f32x4.replace_lane(none, 0, f32x4.extract_lane(z, 0)) : z);
    x += one ? 4 : 16;
    out += one ? 4 : 16;
  }
  return hmax_f32(most, most, most, most);
}

function through_cap(z: usize, grad: usize, n: usize, per: v128, slope: v128, most: v128): void {
  const end = z + (n << 2);
  for (const whole = z + ((n & ~15) << 2); z < whole; z += 64, grad += 64) {
    const a = through(v128.load(z), v128.load(grad), per, slope, most);
    const b = through(v128.load(z, 16), v128.load(grad, 16), per, slope, most);
    const c = through(v128.load(z, 32), v128.load(grad, 32), per, slope, most);
    const d = through(v128.load(z, 48), v128.load(grad, 48), per, slope, most);
    v128.store(grad, a);
    v128.store(grad, b, 16);
    v128.store(grad, c, 32);
    v128.store(grad, d, 48);
  }
  for (; z < end; z += 4, grad += 4) {
    store_part(grad, through(load_part(z, true), load_part(grad, true), per, slope, most), true);
  }
}

// @ts-ignore: decorator
@inline
function through(capped: v128, outside: v128, per: v128, slope: v128, most: v128): v128 {
  const one = f32x4.splat(1);
  const t = f32x4.mul(capped, per);
  // (1 - t)(1 + t) keeps the digits that 1 - t² would lose; no more than 1 - t² = 0 beyond ±1.
  const rest = f32x4.pmax(f32x4.splat(0), f32x4.mul(f32x4.sub(one, t), f32x4.add(one, t)));
  // z·(1/outer) need not round to 1 where z is outer.
  const own = v128.andnot(f32x4.mul(rest, slope), f32x4.ge(f32x4.abs(capped), most));
  // 0·∞ counts as 0; NaN stays.
  const is_off = v128.and(f32x4.eq(own, f32x4.splat(0)), f32x4.eq(outside, outside));
  return v128.andnot(f32x4.mul(own, outside), is_off);
}

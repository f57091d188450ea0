// What models do to their logits before anything looks at them: z = inner·x, or z = outer·tanh(inner·x) under a softcap.
// With logit scale k, softcap c and temperature T, inner is k/c and outer c/T; without a softcap inner is k/T, and outer 0.

import { load_part, store_part } from "./inline/part";
import { tanh_x4 } from "./math";

/** n logits; `out` may be `x`. -Infinity is -outer under a softcap, as tanh has it. */
export function transform_f32(x: usize, out: usize, n: usize, inner: f32, outer: f32): void {
  if (outer == 0) scale_into(x, out, n, f32x4.splat(inner));
  else soft_cap(x, out, n, f32x4.splat(inner), f32x4.splat(outer));
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

// Four vectors at a time, so that their chains overlap.
function soft_cap(x: usize, out: usize, n: usize, inner: v128, outer: v128): void {
  const end = x + (n << 2);
  for (const whole = x + ((n & ~15) << 2); x < whole; x += 64, out += 64) {
    const a = capped(v128.load(x), inner, outer);
    const b = capped(v128.load(x, 16), inner, outer);
    const c = capped(v128.load(x, 32), inner, outer);
    const d = capped(v128.load(x, 48), inner, outer);
    v128.store(out, a);
    v128.store(out, b, 16);
    v128.store(out, c, 32);
    v128.store(out, d, 48);
  }
  for (; x < end; x += 4, out += 4) store_part(out, capped(load_part(x, true), inner, outer), true);
}

// @ts-ignore: decorator
@inline
function capped(x: v128, inner: v128, outer: v128): v128 {
  return f32x4.mul(tanh_x4(f32x4.mul(x, inner)), outer);
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

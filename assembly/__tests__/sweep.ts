// The worst error of each function of math.ts over a range of float32 inputs: sampled in math.spec.ts, and over every
// input in test/slow-math.test.ts, which compiles this file as a module of its own (sweep.asconfig.json).

import { exp_neg_abs_x4, exp_x4, expm1_x4, log_x4, log1p_x4, softplus_log_x4, tanh_x4 } from "../math";
import { is_denormal, ulps } from "./support/ulp";

/** The last input, going down, whose exponential is not 0: the next is that of a number below 2^-125.5. */
export const EXP_LAST: f32 = -86.9899673;

let input: u32 = 0;
let worst: f64 = 0;
let denormals: f64 = 0;

/** The input at which the last sweep found its worst error. */
export function worst_input(): f32 {
  return reinterpret<f32>(input);
}

/** How many denormals the last sweep saw come out where none went in. */
export function made_denormals(): f64 {
  return denormals;
}

// Each takes the float32 numbers of the bits `first`, `first` + `stride` ... `last`, and returns the worst error in ulp.

export function sweep_exp(first: u32, last: u32, stride: u32): f64 {
  return sweep((x) => exp_x4(x), exact_exp, first, last, stride);
}

export function sweep_exp_neg_abs(first: u32, last: u32, stride: u32): f64 {
  return sweep((x) => exp_neg_abs_x4(x), (x) => exact_exp(-abs(x)), first, last, stride);
}

export function sweep_expm1(first: u32, last: u32, stride: u32): f64 {
  return sweep((x) => expm1_x4(x), (x) => NativeMath.expm1(x), first, last, stride);
}

export function sweep_log1p(first: u32, last: u32, stride: u32): f64 {
  return sweep((x) => log1p_x4(x), (x) => NativeMath.log1p(x), first, last, stride);
}

export function sweep_softplus_log(first: u32, last: u32, stride: u32): f64 {
  return sweep((x) => softplus_log_x4(x), (x) => NativeMath.log1p(x), first, last, stride);
}

/** Of the error of 4 ulp, or of 4 ulp of 1/8, as many. */
export function sweep_log(first: u32, last: u32, stride: u32): f64 {
  let most: f64 = 0;
  for (let bits: u64 = first; bits <= <u64>last; bits += stride) {
    const x = reinterpret<f32>(<u32>bits);
    const exact = NativeMath.log(x);
    const unit = NativeMath.max(abs(exact), 0.125) * 2 ** -24;
    most = NativeMath.max(most, abs(<f64>f32x4.extract_lane(log_x4(f32x4.splat(x)), 0) - exact) / unit);
  }
  return most;
}

export function sweep_tanh(first: u32, last: u32, stride: u32): f64 {
  return sweep((x) => tanh_x4(x), (x) => NativeMath.tanh(x), first, last, stride);
}

// How many groups of four of these numbers there are in which the function of -x is not that of x, or not its negative: where there
// is none, a sweep of one sign has swept both.

export function asymmetries_exp_neg_abs(first: u32, last: u32, stride: u32): f64 {
  return asymmetries((x) => exp_neg_abs_x4(x), (y) => y, first, last, stride);
}

export function asymmetries_tanh(first: u32, last: u32, stride: u32): f64 {
  return asymmetries((x) => tanh_x4(x), (y) => f32x4.neg(y), first, last, stride);
}

// @ts-ignore: decorator
@inline
function asymmetries(
  approximate: (x: v128) => v128,
  mirrored: (y: v128) => v128,
  first: u32,
  last: u32,
  stride: u32,
): f64 {
  let found: f64 = 0;
  const steps = i32x4.mul(i32x4(0, 1, 2, 3), i32x4.splat(<i32>stride));
  for (let bits: u64 = first; bits <= <u64>last; bits += 4 * <u64>stride) {
    const x = i32x4.add(i32x4.splat(<i32>bits), steps);
    const want = mirrored(approximate(x));
    const got = approximate(f32x4.neg(x));
    const bothNaN = v128.and(f32x4.ne(want, want), f32x4.ne(got, got));
    if (!i32x4.all_true(v128.or(f32x4.eq(want, got), bothNaN))) found++;
  }
  return found;
}

function exact_exp(x: f64): f64 {
  return x < EXP_LAST ? 0 : NativeMath.exp(x);
}

// @ts-ignore: decorator
@inline
function sweep(approximate: (x: v128) => v128, exact: (x: f64) => f64, first: u32, last: u32, stride: u32): f64 {
  worst = 0;
  denormals = 0;
  const end: u64 = last;
  const step: u64 = stride;
  const steps = i32x4.mul(i32x4(0, 1, 2, 3), i32x4.splat(<i32>stride));
  for (let bits: u64 = first; bits <= end; bits += 4 * step) {
    // Behind the end is the end again; behind every number, the first of them.
    const x = i32x4.min_u(i32x4.add(i32x4.splat(<i32>bits), steps), i32x4.splat(<i32>last));
    const y = approximate(x);
    const exact0 = exact(f32x4.extract_lane(x, 0));
    const exact1 = exact(f32x4.extract_lane(x, 1));
    const exact2 = exact(f32x4.extract_lane(x, 2));
    const exact3 = exact(f32x4.extract_lane(x, 3));
    // The nearest float32 is within half an ulp: of most inputs that is all there is to know.
    const nearest = f32x4(<f32>exact0, <f32>exact1, <f32>exact2, <f32>exact3);
    const isNearest = f32x4.eq(y, nearest);
    const isNormal = f32x4.ge(f32x4.abs(y), f32x4.splat(1.17549435e-38));
    if (worst >= 0.5 && i32x4.all_true(v128.and(isNearest, isNormal))) continue;
    note(f32x4.extract_lane(x, 0), f32x4.extract_lane(y, 0), exact0);
    note(f32x4.extract_lane(x, 1), f32x4.extract_lane(y, 1), exact1);
    note(f32x4.extract_lane(x, 2), f32x4.extract_lane(y, 2), exact2);
    note(f32x4.extract_lane(x, 3), f32x4.extract_lane(y, 3), exact3);
  }
  return worst;
}

function note(x: f32, got: f32, exact: f64): void {
  if (is_denormal(got) && !is_denormal(x)) denormals++;
  const error = ulps(got, exact);
  if (error <= worst) return;
  worst = error;
  input = reinterpret<u32>(x);
}

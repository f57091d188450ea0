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
  for (let bits: u64 = first; bits <= end; bits += 4 * step) {
    const x0 = reinterpret<f32>(<u32>bits);
    const x1 = reinterpret<f32>(<u32>min(bits + step, end));
    const x2 = reinterpret<f32>(<u32>min(bits + 2 * step, end));
    const x3 = reinterpret<f32>(<u32>min(bits + 3 * step, end));
    const x = f32x4.replace_lane(f32x4.replace_lane(f32x4.replace_lane(f32x4.splat(x0), 1, x1), 2, x2), 3, x3);
    const y = approximate(x);
    note(x0, f32x4.extract_lane(y, 0), exact(x0));
    note(x1, f32x4.extract_lane(y, 1), exact(x1));
    note(x2, f32x4.extract_lane(y, 2), exact(x2));
    note(x3, f32x4.extract_lane(y, 3), exact(x3));
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

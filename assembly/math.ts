// Elementary functions on four float32 lanes. Branch-free; NaN lanes stay NaN; no lane disturbs another.
//
// None of them makes a denormal of a number that is none: an exponential below 2^-125.5 is an exact 0 (a denormal costs
// a microcode assist of about 100 cycles on x86). Error bounds are over all float32 inputs, plain and fused build, and
// are held by __tests__/math.spec.ts (sampled) and test/slow-math.test.ts (every float32).
//
// Constants are loaded from memory where they are used. A literal splat becomes a `v128.const`, which V8 13.6 and later
// rebuilds in every iteration of the loop.

import { madd_x4 } from "./inline/madd";

const CONSTANTS = memory.data<f32>([
  1.44269502, // 0: log2(e)
  -0.693145752, // 1: -ln 2, high part: 15 bits, so that n·high is exact
  -1.42860677e-6, // 2: -ln 2, low part
  12583038.0, // 3: 1.5·2^23 + 126: adding it rounds to an integer and leaves n + 126 in the low bits
  -87.3365479, // 4: -126·ln 2: here 2^(n-1) becomes the zero of the exponent field
  89.0, // 5: n is 128 here, 2^(n-1) still finite; the product is not
  1.00000024, // 6: this and the next four: 2·(expm1(r) - r)/r² on ±ln 2/2, searched for the least worst error of
  0.333330125, // 7: exp_x4 in plain and fused arithmetic, roundings included (relative error of e^r alone: 8.3e-9)
  0.083331354, // 8
  0.0167423692, // 9
  0.0027887905, // 10
  2.0, // 11: this and the next four: 2·atanh(s)/s in s² on [0, 1/9], relative error 4.7e-9
  0.666664242, // 12
  0.400210977, // 13
  0.280075818, // 14
  0.279875636, // 15
  -17.5, // 16: expm1 is -1 from here down
  0.5, // 17
  -0.0, // 18: the sign bit
  20.0, // 19: and its opposite: beyond them tanh has long been ±1, far beyond them w² would not be finite
  -20.0, // 20
  3.4057546e-8, // 21: this and the next five: w/x in x², where tanh(x) = w / √(1 + w²); close to sinh(x)/x as far as it matters,
  2.61938794e-6, // 22: relative error of tanh 6.1e-8, searched for the least worst error of tanh_x4 in plain and fused arithmetic
  0.000199145696, // 23
  0.00833200198, // 24
  0.166667238, // 25
  1.0, // 26
  1.17549435e-38, // 27: the least normal number
  0.6931471805599453, // 28: ln 2
  Infinity, // 29
  0.0, // 30
  0.75, // 31
  3.05175781e-5, // 32: 2^-15, up to which 2·atanh(s)/s is 2 in float32
  1.5, // 33
]);

// @ts-ignore: decorator
@inline
function constant(i: usize): v128 {
  return v128.load32_splat(CONSTANTS + (i << 2));
}

/** -x, as one xor: V8's f32x4.neg makes its mask anew each time. */
// @ts-ignore: decorator
@inline
export function neg_x4(x: v128): v128 {
  return v128.xor(x, constant(18));
}

/** e^x. Error ≤ 0.98 ulp plain, 1.01 fused; 0 below -86.99, infinity from 88.7228. */
// @ts-ignore: decorator
@inline
export function exp_x4(x: v128): v128 {
  const y = f32x4.pmin(f32x4.pmax(x, constant(4)), constant(5));
  const bits = round_bits_x4(y);
  return f32x4.mul(f32x4.add(constant(11), twice_expm1_x4(reduced_x4(y, bits))), scale_x4(bits));
}

/** e^-|x|, which sigmoid(±x) and softplus(±x) share: no upper clamp needed. Error as exp_x4. */
// @ts-ignore: decorator
@inline
export function exp_neg_abs_x4(x: v128): v128 {
  const y = f32x4.pmax(v128.or(x, constant(18)), constant(4));
  const bits = round_bits_x4(y);
  return f32x4.mul(f32x4.add(constant(11), twice_expm1_x4(reduced_x4(y, bits))), scale_x4(bits));
}

/** e^x - 1, without cancellation near 0. Error ≤ 1.61 ulp; -0 gives 0. */
// @ts-ignore: decorator
@inline
export function expm1_x4(x: v128): v128 {
  const y = f32x4.pmin(f32x4.pmax(x, constant(16)), constant(5));
  const bits = round_bits_x4(y);
  const scale = scale_x4(bits);
  // 2^n·(e^r - 1) + (2^n - 1), halved where it could overflow early and doubled at the end.
  const twice = twice_expm1_x4(reduced_x4(y, bits));
  const half = madd_x4(f32x4.mul(twice, constant(17)), scale, f32x4.sub(scale, constant(17)));
  return f32x4.add(half, half);
}

// e^y = 2^n·e^r with |r| ≤ ln 2 / 2, computed as 2^(n-1)·(2·e^r): the factor 2 keeps n = 128 finite and makes the smallest
// result a normal number. `bits` holds n + 126 in its low bits.
// @ts-ignore: decorator
@inline
function round_bits_x4(y: v128): v128 {
  return madd_x4(y, constant(0), constant(3));
}

// @ts-ignore: decorator
@inline
function reduced_x4(y: v128, bits: v128): v128 {
  const n = f32x4.sub(bits, constant(3));
  return madd_x4(n, constant(2), madd_x4(n, constant(1), y));
}

// @ts-ignore: decorator
@inline
function scale_x4(bits: v128): v128 {
  return i32x4.shl(bits, 23);
}

// 2·(e^r - 1)
// @ts-ignore: decorator
@inline
function twice_expm1_x4(r: v128): v128 {
  const r2 = f32x4.mul(r, r);
  const high = madd_x4(r2, constant(10), madd_x4(r, constant(9), constant(8)));
  const low = madd_x4(r, constant(7), constant(6));
  const q = madd_x4(r2, high, low);
  return madd_x4(r2, q, f32x4.add(r, r));
}

/**
 * log(1 + e) for e in [0, 1], as 2·atanh(s), s = e / (2 + e). Error ≤ 3.77 ulp: four roundings of up to 1 ulp each.
 *
 * The bound from below changes no bit. It keeps the powers of s out of the denormals, where saturated losses took 4 times as long.
 */
// @ts-ignore: decorator
@inline
export function log1p_x4(e: v128): v128 {
  const s = f32x4.div(e, f32x4.add(e, constant(11)));
  const size = f32x4.pmax(v128.andnot(s, constant(18)), constant(32));
  const t = f32x4.mul(size, size);
  const t2 = f32x4.mul(t, t);
  const high = madd_x4(t2, constant(15), madd_x4(t, constant(14), constant(13)));
  return f32x4.mul(s, madd_x4(t2, high, madd_x4(t, constant(12), constant(11))));
}

/**
 * log(x), as n·ln 2 + log(1 + f) with x = 2^n·(1 + f), f in [-1/4, 1/2]. Error ≤ 4 ulp, of 1/8 at least. Denormals count as the least
 * normal number; 0 gives -Infinity, Infinity itself, what is negative NaN.
 */
// @ts-ignore: decorator
@inline
export function log_x4(x: v128): v128 {
  const zero = constant(30);
  const infinity = constant(29);
  const y = f32x4.pmax(x, constant(27));
  // From 3/4 to 3/2 the exponent counts as 0.
  const n = i32x4.shr_s(i32x4.sub(y, constant(31)), 23);
  const f = f32x4.sub(i32x4.sub(y, i32x4.shl(n, 23)), constant(26));
  const value = madd_x4(f32x4.convert_i32x4_s(n), constant(28), log1p_x4(f));
  const kept = v128.bitselect(x, value, v128.or(f32x4.eq(x, infinity), f32x4.ne(x, x)));
  return v128.or(v128.bitselect(neg_x4(infinity), kept, f32x4.eq(x, zero)), f32x4.lt(x, zero));
}

/**
 * log(1 + x) for x ≥ 0, the softplus of a logarithm given as what it is the logarithm of: as `log_x4` of 1 + x, but that f is x itself
 * up to 1/2. Error ≤ 4 ulp. Infinity gives itself, what is negative NaN.
 */
// @ts-ignore: decorator
@inline
export function softplus_log_x4(x: v128): v128 {
  const y = f32x4.add(x, constant(26));
  const n = i32x4.shr_s(i32x4.sub(y, constant(31)), 23);
  const f = f32x4.sub(i32x4.sub(y, i32x4.shl(n, 23)), constant(26));
  const near = f32x4.lt(y, constant(33));
  const value = madd_x4(f32x4.convert_i32x4_s(n), constant(28), log1p_x4(v128.bitselect(x, f, near)));
  const kept = v128.bitselect(value, x, f32x4.lt(x, constant(29)));
  return v128.or(kept, f32x4.lt(x, constant(30)));
}

/**
 * tanh(x) as w / √(1 + w²), w a polynomial that is sinh(x) at 0 and needs fewer digits of it the larger x is. Error ≤ 4 ulp
 * (2.1e-7), root of its mean square 0.5 ulp. Exact ±1 from 9.02 on, where 1 + w² rounds to w², and never beyond: √ of a rounded
 * square is its root.
 *
 * measured: a rational function, whose numerator and denominator need nine coefficients, takes 1.0 / 0.8 ns per number for 0.8 / 0.7,
 * and errs by 6 ulp.
 */
// @ts-ignore: decorator
@inline
export function tanh_x4(x: v128): v128 {
  return tanh_scaled_x4(f32x4.pmin(f32x4.pmax(x, constant(20)), constant(19)), TANH);
}

/** The six coefficients of tanh. */
export const TANH: usize = CONSTANTS + 84;

/** Those of tanh(s·x), at `to`; s from 1/256 to 256, where none of them is denormal or infinite. */
export function scale_tanh(s: f64, to: usize): void {
  let power = s;
  for (let at: usize = 24; at > 0; ) {
    at -= 4;
    store<f32>(to + at, <f32>(power * <f64>load<f32>(TANH + at)));
    power *= s * s;
  }
}

/** tanh(s·x) from its coefficients, where |s·x| ≤ 100: with s = 1 the very number of `tanh_x4`. */
// @ts-ignore: decorator
@inline
export function tanh_scaled_x4(x: v128, curve: usize): v128 {
  const t = f32x4.mul(x, x);
  let p = madd_x4(v128.load32_splat(curve), t, v128.load32_splat(curve, 4));
  p = madd_x4(p, t, v128.load32_splat(curve, 8));
  p = madd_x4(p, t, v128.load32_splat(curve, 12));
  p = madd_x4(p, t, v128.load32_splat(curve, 16));
  p = madd_x4(p, t, v128.load32_splat(curve, 20));
  const w = f32x4.mul(x, p);
  return f32x4.div(w, f32x4.sqrt(madd_x4(w, w, constant(26))));
}

// Elementary functions of one float32 in WGSL: twins of assembly/math.ts, by the same polynomials and range reduction.
//
// Where float32 arithmetic is IEEE they are as accurate as the SIMD ones: test/wgsl.test.ts holds them to the bounds
// below. WGSL promises less (§15.7), and the code keeps to what it promises:
// - `+ - *`, `round` and conversions are correctly rounded; `/` may be off by 2.5 ulp; a product and a sum may be
//   fused, and `fma` need not be.
// - The built-in `exp` may be off by 3 + 2·|x| ulp, since GPUs compute 2^(x·log2 e): 2e-5 at x = 80. Hence `exp_f32`.
// - Sums and products may be reassociated, with no bound on the error. So there is no rounding by adding a large
//   number, as in the twin, and no n·high + n·low: Mesa makes n·(high + low) of that, through `fma` too. On lavapipe
//   that cost 60 ulp; as it stands it is 1.6 ulp there.
// - Denormals may be flushed: none is made or needed. A result below 2^-125.5 is an exact 0.
// - Infinities and NaNs need not be honoured: no constant or bit pattern here is one, and no number depends on
//   comparing a NaN. Where they are honoured a NaN passes through: hence `select`, which keeps x; `min` and `max` would
//   drop it.

/** `exp_f32`, `exp_neg_abs`, `expm1`, `log1p`, `log_f32`, `softplus_log`: what the functions of losses.gen.ts call. */
export const mathWgsl = /* wgsl */ `
const LOG2_E: f32 = 1.44269502;
const MINUS_LN2_HIGH: i32 = -22713; // in units of 2^-15: 15 bits, so that n·high is exact
const MINUS_LN2_LOW: f32 = -1.42860677e-6;
const EXP_IS_ZERO: f32 = -87.3365479; // -126·ln 2: here 2^(n-1) becomes the zero of the exponent field
const EXP_OVERFLOWS: f32 = 89.0; // n is 128 here, 2^(n-1) still finite; the product is not
const EXPM1_IS_MINUS_ONE: f32 = -17.5;

// e^y = 2^n·e^r with |r| ≤ ln 2 / 2, computed as half_scale·(2·e^r), half_scale = 2^(n-1): the factor 2 keeps n = 128
// finite and makes the smallest result a normal number.
struct Reduced {
  half_scale: f32,
  twice_expm1: f32, // 2·(e^r - 1)
}

// y in [EXP_IS_ZERO, EXP_OVERFLOWS]
fn reduce_exp(y: f32) -> Reduced {
  let n = i32(round(y * LOG2_E));
  // n·high comes from integers, so that no compiler sees n as a common factor.
  let r = fma(f32(n), MINUS_LN2_LOW, fma(f32(n * MINUS_LN2_HIGH), 0.000030517578125, y));
  let r2 = r * r;
  let high = fma(r2, 0.00278920098, fma(r, 0.0167326946, 0.0833325833));
  let low = fma(r, 0.333330899, 1.0);
  let q = fma(r2, high, low);
  return Reduced(bitcast<f32>((n + 126) << 23u), fma(r2, q, r + r));
}

// Twin of exp_x4. Error ≤ 1.1 ulp; 0 below -86.99, infinity from 88.7228.
fn exp_f32(x: f32) -> f32 {
  let above = select(x, EXP_IS_ZERO, x < EXP_IS_ZERO);
  let e = reduce_exp(select(above, EXP_OVERFLOWS, above > EXP_OVERFLOWS));
  return (2.0 + e.twice_expm1) * e.half_scale;
}

// e^-|x|. Twin of exp_neg_abs_x4. Error ≤ 1.1 ulp.
fn exp_neg_abs(x: f32) -> f32 {
  let y = -abs(x);
  let e = reduce_exp(select(y, EXP_IS_ZERO, y < EXP_IS_ZERO));
  return (2.0 + e.twice_expm1) * e.half_scale;
}

// e^x - 1, without cancellation near 0. Twin of expm1_x4. Error ≤ 2 ulp.
fn expm1(x: f32) -> f32 {
  let above = select(x, EXPM1_IS_MINUS_ONE, x < EXPM1_IS_MINUS_ONE);
  let e = reduce_exp(select(above, EXP_OVERFLOWS, above > EXP_OVERFLOWS));
  // 2^n·(e^r - 1) + (2^n - 1), halved where it could overflow early and doubled at the end.
  let half = fma(e.twice_expm1 * 0.5, e.half_scale, e.half_scale - 0.5);
  return half + half;
}

// log(1 + e) for e in [0, 1], as 2·atanh(s), s = e / (2 + e). Twin of log1p_x4 but for the order: since 2·s = e - s·e,
// the error of the division enters multiplied by e. Error ≤ 1.5 ulp where division is correctly rounded.
fn log1p(e: f32) -> f32 {
  let s = e / (e + 2.0);
  let t = s * s;
  let t2 = t * t;
  let high = fma(t2, 0.279875636, fma(t, 0.280075818, 0.400210977));
  return e - s * (e - fma(t2, high, t * 0.666664242));
}

// log(x), x = 2^n·(1 + f), f in [-1/4, 1/2]. Twin of log_x4. A zero gives -Infinity, a negative number NaN, by their bits.
fn log_f32(x: f32) -> f32 {
  let known = bitcast<u32>(x);
  let bits = bitcast<i32>(max(known, 0x00800000u));
  let n = (bits - 0x3f400000) >> 23u;
  let value = fma(f32(n), 0.693147182, log1p(bitcast<f32>(bits - (n << 23u)) - 1.0));
  var result = bitcast<u32>(value);
  if (known >= 0x7f800000u) { result = select(0x7fc00000u, known, known == 0x7f800000u); }
  if ((known & 0x7fffffffu) == 0u) { result = 0xff800000u; }
  return bitcast<f32>(result);
}

// log(1 + x) for x ≥ 0. Twin of softplus_log_x4. A negative number gives NaN, by its bits.
fn softplus_log(x: f32) -> f32 {
  let known = bitcast<u32>(x);
  let bits = bitcast<i32>(1.0 + x);
  let n = (bits - 0x3f400000) >> 23u;
  let f = select(bitcast<f32>(bits - (n << 23u)) - 1.0, x, n == 0);
  var result = bitcast<u32>(fma(f32(n), 0.693147182, log1p(f)));
  if (known >= 0x7f800000u && known != 0x80000000u) { result = select(0x7fc00000u, known, known == 0x7f800000u); }
  return bitcast<f32>(result);
}
`;

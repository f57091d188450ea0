// Elementary functions of one float32 in WGSL: twins of assembly/math.ts, the same polynomials and the same range reduction.
//
// Where float32 arithmetic is IEEE they are as accurate as the SIMD ones; test/wgsl.test.ts holds them to that. WGSL itself
// promises less, and the code is written for what it promises (WGSL §15.7):
// - `+ - *`, `round` and conversions are correctly rounded; `/` may be off by 2.5 ulp; `fma` may be fused or not.
// - The built-in `exp` may be off by 3 + 2·|x| ulp (GPUs compute 2^(x·log2 e)): 1e-5 at x = 80. Hence `exp_f32`.
// - A compiler may reassociate without any bound (Metal's fast-math does). No rounding by adding a large constant, as the SIMD
//   twin does: `round` instead. The two-step reduction is two calls of `fma`, which no compiler is known to merge.
// - Denormals may be flushed: none is made or needed. A result below 2^-125.5 is an exact 0.
// - Infinities and NaNs need not be honoured. No constant or bit pattern here is one, no result depends on comparing a NaN;
//   the clamps are written so that a NaN passes through where comparisons are IEEE. `min` and `max` would drop it.

/** `exp_f32`, `exp_neg_abs`, `expm1`, `log1p`: what the functions of losses.gen.ts call. */
export const mathWgsl = /* wgsl */ `
const LOG2_E: f32 = 1.44269502;
const MINUS_LN2_HIGH: f32 = -0.693145752; // 15 bits, so that n·high is exact
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
  let n = round(y * LOG2_E);
  let r = fma(n, MINUS_LN2_LOW, fma(n, MINUS_LN2_HIGH, y));
  let r2 = r * r;
  let high = fma(r2, 0.00278920098, fma(r, 0.0167326946, 0.0833325833));
  let low = fma(r, 0.333330899, 1.0);
  let q = fma(r2, high, low);
  return Reduced(bitcast<f32>((i32(n) + 126) << 23u), fma(r2, q, r + r));
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

// log(1 + e) for e in [0, 1], as 2·atanh(s), s = e / (2 + e). Twin of log1p_x4 but for the order: since 2·s = e - s·e, the
// error of the division enters multiplied by e alone. Error ≤ 1.5 ulp where division is correctly rounded.
fn log1p(e: f32) -> f32 {
  let s = e / (e + 2.0);
  let t = s * s;
  let t2 = t * t;
  let high = fma(t2, 0.279875636, fma(t, 0.280075818, 0.400210977));
  return e - s * (e - fma(t2, high, t * 0.666664242));
}
`;

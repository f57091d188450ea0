// Log-probs as 64-bit integers, units of 2^-30. There is no float64 here, and compensated float32 sums do not survive
// compilers that may reassociate; integer sums are exact, in any order, so a sequence of thousands of tokens loses nothing
// and log-ratios are formed from all its digits.

/** What log-probs outside fixed point are multiplied with: a power of two, exact. */
const WILD_SCALE = 2 ** -8;

/** `fix`, `fix_log`, `fixed_sum`, `fixed_minus`, `float_of`; needs the functions of math.wgsl.ts and `nanWgsl`. */
export const fixedWgsl = /* wgsl */ `
const FIXED_RANGE: f32 = 268435456.0; // 2^28: beyond it floats have to do
const FIXED_SUM: f32 = 4294967296.0; // 2^32: sums fit up to 2^33, and so do differences of two below this
fn fixed_sum(x: vec2u, y: vec2u) -> vec2u {
  let low = x.x + y.x;
  return vec2u(low, x.y + y.y + select(0u, 1u, low < x.x));
}
fn fixed_minus(x: vec2u, y: vec2u) -> vec2u {
  return vec2u(x.x - y.x, x.y - y.y - select(0u, 1u, x.x < y.x));
}
// x·2^30, |x| ≤ FIXED_RANGE; exact from 2^-7 on, within 2^-30 below.
fn fix(x: f32) -> vec2u {
  let bits = bitcast<u32>(x);
  let exponent = (bits >> 23u) & 0xffu;
  let mantissa = (bits & 0x7fffffu) | 0x800000u;
  var size = vec2u(0u);
  if (exponent >= 152u) { size = vec2u(0u, mantissa << (exponent - 152u)); }
  else if (exponent > 120u) { size = vec2u(mantissa << (exponent - 120u), mantissa >> (152u - exponent)); }
  else if (exponent > 96u) { size = vec2u(mantissa >> (120u - exponent), 0u); }
  if (bits < 0x80000000u) { return size; }
  return fixed_minus(vec2u(0u), size);
}
// log x for x ≥ 1: n·ln 2 + log(1 + e), the first part in integers.
fn fix_log(x: f32) -> vec2u {
  let bits = bitcast<u32>(x);
  let n = (bits >> 23u) - 127u;
  var sum = fix(log1p(bitcast<f32>((bits & 0x7fffffu) | 0x3f800000u) - 1.0));
  for (var k = 0u; k < n; k++) { sum = fixed_sum(sum, vec2u(744261118u, 0u)); }
  return sum;
}
fn float_of(x: vec2u) -> f32 {
  let negative = x.y >= 0x80000000u;
  let size = select(x, fixed_minus(vec2u(0u), x), negative);
  let value = f32(size.y) * 4.0 + f32(size.x) * 9.31322574615478515625e-10;
  return select(value, -value, negative);
}
// A log-prob summed: in fixed point; or, where that has no room for it or it is not finite, as the bits of a float. That one
// is scaled down: two log-probs beyond float32 may be as far apart as float32 can tell.
const WILD_SCALE: f32 = ${WILD_SCALE};
const WILD_UNIT: f32 = ${1 / WILD_SCALE}.0;
struct Summed {
  fixed: vec2u,
  wild: u32,
  bits: u32,
}
fn difference(x: Summed, y: Summed) -> f32 {
  if ((x.wild | y.wild) != 0u) { return (bitcast<f32>(x.bits) - bitcast<f32>(y.bits)) * WILD_UNIT; }
  return float_of(fixed_minus(x.fixed, y.fixed));
}
// As a float, for results; of one that is no number the bits.
fn value_bits(x: Summed) -> u32 {
  let scaled = bitcast<f32>(x.bits);
  return bits_of(scaled * WILD_UNIT, is_nan(scaled));
}
// What the float of a difference leaves over.
fn residue(x: Summed, y: Summed, high: f32) -> f32 {
  if ((x.wild | y.wild) != 0u) { return 0.0; }
  return float_of(fixed_minus(fixed_minus(x.fixed, y.fixed), fix(high)));
}`;

/** Words of a sequence whose log-prob is a number here: its sum, and behind the next word the number itself. */
export function sequenceWords(x: number): number[] {
  return [...summedWords(x), 0, new Uint32Array(Float32Array.of(x).buffer)[0] as number];
}

/** 64-bit words of one log-prob given as a number: the host's twin of `Summed`. */
export function summedWords(x: number): readonly [low: number, high: number, wild: number, bits: number] {
  const bits = new Uint32Array(Float32Array.of(x * WILD_SCALE).buffer)[0] as number;
  if (!(Math.abs(x) < 2 ** 28)) return [0, 0, 1, bits];
  const scaled = Math.round(x * 2 ** 30);
  const high = Math.floor(scaled / 2 ** 32);
  return [scaled - high * 2 ** 32, high >>> 0, 0, bits];
}

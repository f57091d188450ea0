// Converts float32 to float16 and bfloat16, rounding to nearest, ties to even. What is too large becomes infinity, NaN
// stays NaN. n is a multiple of 16. The input must hold no denormals.

const CONSTANTS = memory.data<i32>([
  0x3f400000, // 0: 0.75, whose last bit is 2^-24, that of a float16 denormal
  0xf800f800, // 1: bits that are 0 in denormals and in numbers up to 2^-13
  0x80008000, // 2: signs
  0x47800000, // 3: 65536, which becomes infinity
  0x7f800000, // 4: the exponent of a float32
  0x06800000, // 5: 13 in that field
  0x3f000000, // 6: 0.5
  0x7fffffff, // 7: all but the sign
  0x00007fff, // 8: just below half of bfloat16's last bit
  0x00000001, // 9
]);

// @ts-ignore: decorator
@inline
function constant(i: usize): v128 {
  return v128.load32_splat(CONSTANTS + (i << 2));
}

export function narrow_f16(x: usize, out: usize, n: usize): void {
  for (const end = x + (n << 2); x < end; x += 64, out += 32) {
    const a = v128.load(x);
    const b = v128.load(x, 16);
    const c = v128.load(x, 32);
    const d = v128.load(x, 48);
    let low = i16x8.abs(i16x8.narrow_i32x4_s(denormal_x4(a), denormal_x4(b)));
    let high = i16x8.abs(i16x8.narrow_i32x4_s(denormal_x4(c), denormal_x4(d)));
    if (v128.any_true(v128.and(v128.or(low, high), constant(1)))) {
      low = i16x8.narrow_i32x4_s(magnitude_x4(a), magnitude_x4(b));
      high = i16x8.narrow_i32x4_s(magnitude_x4(c), magnitude_x4(d));
    }
    const sign_low = v128.and(i16x8.narrow_i32x4_s(a, b), constant(2));
    const sign_high = v128.and(i16x8.narrow_i32x4_s(c, d), constant(2));
    v128.store(out, v128.or(low, sign_low));
    v128.store(out, v128.or(high, sign_high), 16);
  }
}

// x·2^24 as a signed integer. Most entries of a gradient are small enough for this; others come out as at least 2^11.
// @ts-ignore: decorator
@inline
function denormal_x4(x: v128): v128 {
  return i32x4.sub(f32x4.add(x, constant(0)), constant(0));
}

// Adding 2^13 times its own power of two (at least 1/2) rounds |x| to 11 bits, or to a multiple of 2^-24. NaN turns into a
// large integer, which narrows to 0x7fff.
// @ts-ignore: decorator
@inline
function magnitude_x4(x: v128): v128 {
  const a = f32x4.pmin(v128.and(x, constant(7)), constant(3));
  const bias = f32x4.pmax(i32x4.add(v128.and(a, constant(4)), constant(5)), constant(6));
  const digits = i32x4.sub(f32x4.add(a, bias), bias);
  return i32x4.add(digits, i32x4.shr_u(i32x4.sub(bias, constant(6)), 13));
}

/** A NaN must have zeros below bfloat16's bits. Those widened from bfloat16 and those made by arithmetic do. */
export function narrow_bf16(x: usize, out: usize, n: usize): void {
  for (const end = x + (n << 2); x < end; x += 64, out += 32) {
    const low = i16x8.narrow_i32x4_u(upper_x4(v128.load(x)), upper_x4(v128.load(x, 16)));
    const high = i16x8.narrow_i32x4_u(upper_x4(v128.load(x, 32)), upper_x4(v128.load(x, 48)));
    v128.store(out, low);
    v128.store(out, high, 16);
  }
}

// @ts-ignore: decorator
@inline
function upper_x4(x: v128): v128 {
  const odd = v128.and(i32x4.shr_u(x, 16), constant(9));
  return i32x4.shr_u(i32x4.add(i32x4.add(x, constant(8)), odd), 16);
}

import { hsum_f64 } from "./inline/hsum";

/** The sum of n float32 values: 16 lanes, added in a fixed order. Pass a few thousand at most and add the parts in float64. */
export function sum_f32(x: usize, n: usize): f64 {
  let s0 = f32x4.splat(0);
  let s1 = s0;
  let s2 = s0;
  let s3 = s0;
  const end = (n & ~15) << 2;
  let i: usize = 0;
  for (; i < end; i += 64) {
    s0 = f32x4.add(s0, v128.load(x + i));
    s1 = f32x4.add(s1, v128.load(x + i, 16));
    s2 = f32x4.add(s2, v128.load(x + i, 32));
    s3 = f32x4.add(s3, v128.load(x + i, 48));
  }
  let sum = hsum_f64(f32x4.add(f32x4.add(s0, s1), f32x4.add(s2, s3)));
  for (const all = n << 2; i < all; i += 4) sum += load<f32>(x + i);
  return sum;
}

/**
 * Stores the minimum of n float32 values and their sum (float64). The minimum ignores NaN; the sum becomes NaN.
 * Pass a few thousand at most.
 */
export function scan_f32(x: usize, n: usize, out: usize): void {
  let least = f32x4.splat(f32.MAX_VALUE);
  const end = (n & ~3) << 2;
  let i: usize = 0;
  for (; i < end; i += 16) least = f32x4.pmin(least, v128.load(x + i));
  let min = Mathf.min(
    Mathf.min(f32x4.extract_lane(least, 0), f32x4.extract_lane(least, 1)),
    Mathf.min(f32x4.extract_lane(least, 2), f32x4.extract_lane(least, 3)),
  );
  for (const all = n << 2; i < all; i += 4) if (load<f32>(x + i) < min) min = load<f32>(x + i);
  store<f64>(out, min);
  store<f64>(out, sum_f32(x, n), 8);
}

/** The same of n int32 values, as float32. */
export function scan_i32(x: usize, n: usize, out: usize): void {
  let least = i32x4.splat(i32.MAX_VALUE);
  let s0 = f32x4.splat(0);
  let s1 = s0;
  let s2 = s0;
  let s3 = s0;
  const end = (n & ~15) << 2;
  let i: usize = 0;
  for (; i < end; i += 64) {
    const x0 = v128.load(x + i);
    const x1 = v128.load(x + i, 16);
    const x2 = v128.load(x + i, 32);
    const x3 = v128.load(x + i, 48);
    least = i32x4.min_s(least, i32x4.min_s(i32x4.min_s(x0, x1), i32x4.min_s(x2, x3)));
    s0 = f32x4.add(s0, f32x4.convert_i32x4_s(x0));
    s1 = f32x4.add(s1, f32x4.convert_i32x4_s(x1));
    s2 = f32x4.add(s2, f32x4.convert_i32x4_s(x2));
    s3 = f32x4.add(s3, f32x4.convert_i32x4_s(x3));
  }
  let sum = hsum_f64(f32x4.add(f32x4.add(s0, s1), f32x4.add(s2, s3)));
  let min_value = min(
    min(i32x4.extract_lane(least, 0), i32x4.extract_lane(least, 1)),
    min(i32x4.extract_lane(least, 2), i32x4.extract_lane(least, 3)),
  );
  for (const all = n << 2; i < all; i += 4) {
    const value = load<i32>(x + i);
    min_value = min(min_value, value);
    sum += <f32>value;
  }
  store<f64>(out, <f32>min_value);
  store<f64>(out, sum, 8);
}

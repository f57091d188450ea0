// Joins 16-bit lanes of two vectors as the halves of 32-bit words, lanes 0 to 3:
// low [a0, a1, …], high [b0, b1, …]  =>  [b0:a0, b1:a1, b2:a2, b3:a3]
// @ts-ignore: decorator
@inline
export function interleave_low(low: v128, high: v128): v128 {
  return i8x16.shuffle(low, high, 0, 1, 16, 17, 2, 3, 18, 19, 4, 5, 20, 21, 6, 7, 22, 23);
}

/** The same for lanes 4 to 7. */
// @ts-ignore: decorator
@inline
export function interleave_high(low: v128, high: v128): v128 {
  return i8x16.shuffle(low, high, 8, 9, 24, 25, 10, 11, 26, 27, 12, 13, 28, 29, 14, 15, 30, 31);
}

/** The greatest lane of four vectors, none of which holds NaN. */
// @ts-ignore: decorator
@inline
export function hmax_f32(a: v128, b: v128, c: v128, d: v128): f32 {
  const m = f32x4.pmax(f32x4.pmax(a, b), f32x4.pmax(c, d));
  return max(
    max(f32x4.extract_lane(m, 0), f32x4.extract_lane(m, 1)),
    max(f32x4.extract_lane(m, 2), f32x4.extract_lane(m, 3)),
  );
}

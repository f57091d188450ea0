/** out = x: n lengths, int32, as float32, which the kernels take; `out` may be `x`. */
export function lengths_f32(x: usize, out: usize, n: usize): void {
  const end = (n & ~3) << 2;
  let i: usize = 0;
  for (; i < end; i += 16) v128.store(out + i, f32x4.convert_i32x4_s(v128.load(x + i)));
  for (const all = n << 2; i < all; i += 4) store<f32>(out + i, <f32>load<i32>(x + i));
}

/** out = x: n labels, bytes, as float32, which the kernels take. */
export function labels_f32(x: usize, out: usize, n: usize): void {
  const end = n & ~15;
  let i: usize = 0;
  for (; i < end; i += 16) {
    const bytes = v128.load(x + i);
    const low = i16x8.extend_low_i8x16_u(bytes);
    const high = i16x8.extend_high_i8x16_u(bytes);
    const to = out + (i << 2);
    v128.store(to, f32x4.convert_i32x4_u(i32x4.extend_low_i16x8_u(low)));
    v128.store(to, f32x4.convert_i32x4_u(i32x4.extend_high_i16x8_u(low)), 16);
    v128.store(to, f32x4.convert_i32x4_u(i32x4.extend_low_i16x8_u(high)), 32);
    v128.store(to, f32x4.convert_i32x4_u(i32x4.extend_high_i16x8_u(high)), 48);
  }
  for (; i < n; i++) store<f32>(out + (i << 2), <f32>load<u8>(x + i));
}

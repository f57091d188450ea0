// What joins losses into one result, on pieces that lie in cache: n elements of float32.

/** y += x */
export function add_f32(x: usize, y: usize, n: usize): void {
  const end = (n & ~3) << 2;
  let i: usize = 0;
  for (; i < end; i += 16) v128.store(y + i, f32x4.add(v128.load(y + i), v128.load(x + i)));
  for (const all = n << 2; i < all; i += 4) store<f32>(y + i, load<f32>(y + i) + load<f32>(x + i));
}

/** y *= factor; a factor of exactly 0 gives 0, against an infinite y and a NaN too. */
export function weigh_f32(factor: usize, y: usize, n: usize): void {
  const zero = f32x4.splat(0);
  const end = (n & ~3) << 2;
  let i: usize = 0;
  for (; i < end; i += 16) {
    const f = v128.load(factor + i);
    v128.store(y + i, v128.andnot(f32x4.mul(v128.load(y + i), f), f32x4.eq(f, zero)));
  }
  for (const all = n << 2; i < all; i += 4) {
    const f = load<f32>(factor + i);
    store<f32>(y + i, f == 0 ? 0 : f * load<f32>(y + i));
  }
}

/** y *= factor */
export function scale_f32(y: usize, n: usize, factor: f32): void {
  const end = (n & ~3) << 2;
  let i: usize = 0;
  for (; i < end; i += 16) v128.store(y + i, f32x4.mul(v128.load(y + i), f32x4.splat(factor)));
  for (const all = n << 2; i < all; i += 4) store<f32>(y + i, load<f32>(y + i) * factor);
}

/**
 * The chain rule: chosen = slope·chosen, rejected = slope·rejected; a zero factor gives zero, against an infinite one too. `out_chosen`
 * may be `slope`.
 */
export function chain_f32(
  slope: usize,
  chosen: usize,
  rejected: usize,
  out_chosen: usize,
  out_rejected: usize,
  n: usize,
): void {
  const zero = f32x4.splat(0);
  const end = (n & ~3) << 2;
  let i: usize = 0;
  for (; i < end; i += 16) {
    const s = v128.load(slope + i);
    const none = f32x4.eq(s, zero);
    const p = v128.load(chosen + i);
    const q = v128.load(rejected + i);
    v128.store(out_chosen + i, v128.andnot(f32x4.mul(s, p), v128.or(none, f32x4.eq(p, zero))));
    v128.store(out_rejected + i, v128.andnot(f32x4.mul(s, q), v128.or(none, f32x4.eq(q, zero))));
  }
  for (const all = n << 2; i < all; i += 4) {
    const s = load<f32>(slope + i);
    const p = load<f32>(chosen + i);
    const q = load<f32>(rejected + i);
    store<f32>(out_chosen + i, s == 0 || p == 0 ? 0 : s * p);
    store<f32>(out_rejected + i, s == 0 || q == 0 ? 0 : s * q);
  }
}

/** y = 0 where the length is 0: an empty completion has no gradient. */
export function clear_empty_f32(length: usize, y: usize, n: usize): void {
  const zero = f32x4.splat(0);
  const end = (n & ~3) << 2;
  let i: usize = 0;
  for (; i < end; i += 16) v128.store(y + i, v128.andnot(v128.load(y + i), f32x4.eq(v128.load(length + i), zero)));
  for (const all = n << 2; i < all; i += 4) if (load<f32>(length + i) == 0) store<f32>(y + i, 0);
}

/** out = factor·(x - y): rewards. */
export function scaled_difference_f32(x: usize, y: usize, out: usize, n: usize, factor: f32): void {
  const end = (n & ~3) << 2;
  let i: usize = 0;
  for (; i < end; i += 16) {
    v128.store(out + i, f32x4.mul(f32x4.splat(factor), f32x4.sub(v128.load(x + i), v128.load(y + i))));
  }
  for (const all = n << 2; i < all; i += 4) store<f32>(out + i, factor * (load<f32>(x + i) - load<f32>(y + i)));
}

/** The loss and slope of the batch's likelihood for each pair; a pair whose log-prob is NaN gets a NaN gradient. */
export function likelihood_f32(pc: usize, loss: usize, gc: usize, gr: usize, n: usize, value: f32, slope: f32): void {
  const end = (n & ~3) << 2;
  let i: usize = 0;
  for (; i < end; i += 16) {
    const p = v128.load(pc + i);
    v128.store(loss + i, f32x4.splat(value));
    v128.store(gc + i, v128.or(f32x4.splat(slope), f32x4.ne(p, p)));
    v128.store(gr + i, f32x4.splat(0));
  }
  for (const all = n << 2; i < all; i += 4) {
    const p = load<f32>(pc + i);
    store<f32>(loss + i, value);
    store<f32>(gc + i, p == p ? slope : p);
    store<f32>(gr + i, 0);
  }
}

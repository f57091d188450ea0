// Arrays of float32 outside the garbage collector's reach, between words that no kernel may write to.

const GUARD: f32 = -777.25;
const GUARDS: usize = 8;

/** n elements; the first is not aligned to a vector. */
export function floats(n: usize): usize {
  const first = heap.alloc((n + 2 * GUARDS + 1) << 2) + ((GUARDS + 1) << 2);
  for (let i = -GUARDS; i != n + GUARDS; i++) store<f32>(first + (i << 2), GUARD);
  return first;
}

/** Whether the words before and behind the n elements are untouched. */
export function guards_hold(x: usize, n: usize): bool {
  for (let k: usize = 0; k < GUARDS; k++) {
    if (load<f32>(x - ((k + 1) << 2)) != GUARD || load<f32>(x + ((n + k) << 2)) != GUARD) return false;
  }
  return true;
}

export function get(x: usize, i: usize): f32 {
  return load<f32>(x + (i << 2));
}

export function set(x: usize, i: usize, value: f32): void {
  store<f32>(x + (i << 2), value);
}

/** Equal bits, or both NaN. */
export function same(a: f32, b: f32): bool {
  return reinterpret<u32>(a) == reinterpret<u32>(b) || (a != a && b != b);
}

/** n multiples of 1/64 in ±2048: their sums, differences and products with powers of two are exact in float32. */
export function exact_floats(n: usize): usize {
  const x = floats(n);
  for (let i: usize = 0; i < n; i++) set(x, i, <f32>(<i32>(random() >> 46) - 131072) / 64);
  return x;
}

let seed: u64 = 88172645463325252;

/** 64 random bits, the same sequence in each run (xorshift64). */
export function random(): u64 {
  seed ^= seed << 13;
  seed ^= seed >> 7;
  seed ^= seed << 17;
  return seed;
}

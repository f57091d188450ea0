// What AOT needs around its margin loss: a stable sort of the batch, and the permutation back from ranks to pairs.

const RADIX_BITS: u64 = 11;
const BUCKETS: usize = 1 << 11;
const PASSES: usize = 6; // 6 × 11 ≥ 64 bits

/** Size of the `counts` buffer of `argsort_f64`, in bytes. */
export const SORT_COUNTS_BYTES: usize = PASSES * BUCKETS * 4;

/**
 * Sorts n float64 keys in place, ascending and stable, and writes their original positions to `order` (uint32).
 *
 * Keys are float64 so that margins of float32 log-probs are exact: rounded to float32, distinct margins would tie.
 * A radix sort, least significant digit first, of the order-preserving integer image of the keys. Digits on which all keys
 * agree are skipped, so differences of float32 numbers take about four of the six passes. -0 equals 0; NaN sorts last.
 *
 * Scratch   keys2: 8n bytes, order2: 4n bytes, counts: SORT_COUNTS_BYTES
 */
export function argsort_f64(keys: usize, order: usize, keys2: usize, order2: usize, counts: usize, n: usize): void {
  memory.fill(counts, 0, SORT_COUNTS_BYTES);
  for (let i: usize = 0; i < n; i++) {
    const image = sortable(load<f64>(keys + (i << 3)));
    store<u64>(keys + (i << 3), image);
    store<u32>(order + (i << 2), i as u32);
    for (let pass: usize = 0; pass < PASSES; pass++) {
      const count = counts + (((pass << 11) + digit(image, pass)) << 2);
      store<u32>(count, load<u32>(count) + 1);
    }
  }
  let from = keys;
  let from_order = order;
  let to = keys2;
  let to_order = order2;
  for (let pass: usize = 0; pass < PASSES; pass++) {
    const count = counts + (pass << 13);
    if (load<u32>(count + (digit(load<u64>(from), pass) << 2)) == (n as u32)) continue;
    place_buckets(count);
    scatter_digit(from, from_order, to, to_order, count, pass, n);
    let swap = from;
    from = to;
    to = swap;
    swap = from_order;
    from_order = to_order;
    to_order = swap;
  }
  if (from != keys) memory.copy(order, from_order, n << 2);
  for (let i: usize = 0; i < n; i++) store<f64>(keys + (i << 3), unsortable(load<u64>(from + (i << 3))));
}

// Turns the counts into the start of each bucket.
function place_buckets(count: usize): void {
  let place: u32 = 0;
  for (let bucket: usize = 0; bucket < BUCKETS; bucket++) {
    const size = load<u32>(count + (bucket << 2));
    store<u32>(count + (bucket << 2), place);
    place += size;
  }
}

function scatter_digit(
  from: usize,
  from_order: usize,
  to: usize,
  to_order: usize,
  count: usize,
  pass: usize,
  n: usize,
): void {
  for (let i: usize = 0; i < n; i++) {
    const image = load<u64>(from + (i << 3));
    const bucket = count + (digit(image, pass) << 2);
    const place = load<u32>(bucket) as usize;
    store<u32>(bucket, (place as u32) + 1);
    store<u64>(to + (place << 3), image);
    store<u32>(to_order + (place << 2), load<u32>(from_order + (i << 2)));
  }
}

// @ts-ignore: decorator
@inline
function digit(image: u64, pass: usize): usize {
  return ((image >> ((pass as u64) * RADIX_BITS)) & (BUCKETS - 1)) as usize;
}

// Flips all bits of negative numbers and the sign bit of others, so that unsigned order is numeric order.
// @ts-ignore: decorator
@inline
function sortable(x: f64): u64 {
  if (x != x) return u64.MAX_VALUE;
  const bits = reinterpret<u64>(x + 0.0);
  return bits ^ ((((bits as i64) >> 63) as u64) | 0x8000000000000000);
}

// @ts-ignore: decorator
@inline
function unsortable(image: u64): f64 {
  return reinterpret<f64>(image >> 63 ? image ^ 0x8000000000000000 : ~image);
}

/** out[k] = x[k] - y[k], computed in float64 and rounded to float32. */
export function difference_f64(x: usize, y: usize, out: usize, n: usize): void {
  for (let i: usize = 0; i < n; i++) {
    store<f32>(out + (i << 2), <f32>(load<f64>(x + (i << 3)) - load<f64>(y + (i << 3))));
  }
}

/** out[order[k]] = x[k]: from ranks back to pairs. */
export function scatter_f32(x: usize, order: usize, out: usize, n: usize): void {
  for (let i: usize = 0; i < n; i++) {
    store<f32>(out + ((<usize>load<u32>(order + (i << 2))) << 2), load<f32>(x + (i << 2)));
  }
}

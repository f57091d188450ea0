import { hsum_f64 } from "./inline/hsum";

// x where the mask is set, summed.
// @ts-ignore: decorator
@inline
function add_where(sum: v128, x: v128, mask: v128): v128 {
  return f32x4.add(sum, v128.and(x, mask));
}

// @ts-ignore: decorator
@inline
function count_lanes(counts: v128): i32 {
  return (
    i32x4.extract_lane(counts, 0) +
    i32x4.extract_lane(counts, 1) +
    i32x4.extract_lane(counts, 2) +
    i32x4.extract_lane(counts, 3)
  );
}

// @ts-ignore: decorator
@inline
function add_to(at: usize, x: f64): void {
  store<f64>(at, load<f64>(at) + x);
}

/**
 * Adds six sums over n rows to `sums` (float64): policy, log-ratio and number, each of the desirable rows and of the others in
 * turn; rows without a log-ratio are left out. Lanes are float32, so call it on a few thousand rows at most.
 */
export function row_stats_f32(policy: usize, reference: usize, desirable: usize, n: usize, sums: usize): void {
  const zero = f32x4.splat(0);
  let good = zero;
  let bad = zero;
  let good_ratio = zero;
  let bad_ratio = zero;
  let goods = zero;
  let bads = zero;
  const end = (n & ~3) << 2;
  let i: usize = 0;
  for (; i < end; i += 16) {
    const p = v128.load(policy + i);
    const r = f32x4.sub(p, v128.load(reference + i));
    const counts = f32x4.eq(r, r);
    const is_desirable = f32x4.gt(v128.load(desirable + i), zero);
    const is_good = v128.and(counts, is_desirable);
    const is_bad = v128.andnot(counts, is_desirable);
    good = add_where(good, p, is_good);
    bad = add_where(bad, p, is_bad);
    good_ratio = add_where(good_ratio, r, is_good);
    bad_ratio = add_where(bad_ratio, r, is_bad);
    goods = i32x4.sub(goods, is_good);
    bads = i32x4.sub(bads, is_bad);
  }
  add_to(sums, hsum_f64(good));
  add_to(sums + 8, hsum_f64(bad));
  add_to(sums + 16, hsum_f64(good_ratio));
  add_to(sums + 24, hsum_f64(bad_ratio));
  add_to(sums + 32, count_lanes(goods));
  add_to(sums + 40, count_lanes(bads));
  for (const all = n << 2; i < all; i += 4) {
    const p = load<f32>(policy + i);
    const r = p - load<f32>(reference + i);
    if (r != r) continue;
    const at = sums + (load<f32>(desirable + i) > 0 ? 0 : 8);
    add_to(at, p);
    add_to(at + 16, r);
    add_to(at + 32, 1);
  }
}

/**
 * Adds five sums over n pairs to `sums` (float64): policy chosen, policy rejected, chosen log-ratio, rejected log-ratio, and
 * the number of pairs whose chosen log-ratio is the greater. Lanes are float32, so call it on a few thousand pairs at most.
 *
 * It also brings the inputs into the cache, where the loss kernel then finds them.
 */
export function pair_stats_f32(pc: usize, pr: usize, rc: usize, rr: usize, n: usize, sums: usize): void {
  let chosen = f32x4.splat(0);
  let rejected = chosen;
  let chosen_ratio = chosen;
  let rejected_ratio = chosen;
  let wins = i32x4.splat(0);
  const end = (n & ~3) << 2;
  let i: usize = 0;
  for (; i < end; i += 16) {
    const p = v128.load(pc + i);
    const q = v128.load(pr + i);
    const a = f32x4.sub(p, v128.load(rc + i));
    const c = f32x4.sub(q, v128.load(rr + i));
    chosen = f32x4.add(chosen, p);
    rejected = f32x4.add(rejected, q);
    chosen_ratio = f32x4.add(chosen_ratio, a);
    rejected_ratio = f32x4.add(rejected_ratio, c);
    wins = i32x4.sub(wins, f32x4.gt(a, c));
  }
  let sum_chosen = hsum_f64(chosen);
  let sum_rejected = hsum_f64(rejected);
  let sum_chosen_ratio = hsum_f64(chosen_ratio);
  let sum_rejected_ratio = hsum_f64(rejected_ratio);
  let count = count_lanes(wins);
  for (const all = n << 2; i < all; i += 4) {
    const p = load<f32>(pc + i);
    const q = load<f32>(pr + i);
    const a = p - load<f32>(rc + i);
    const c = q - load<f32>(rr + i);
    sum_chosen += p;
    sum_rejected += q;
    sum_chosen_ratio += a;
    sum_rejected_ratio += c;
    count += i32(a > c);
  }
  add_to(sums, sum_chosen);
  add_to(sums + 8, sum_rejected);
  add_to(sums + 16, sum_chosen_ratio);
  add_to(sums + 24, sum_rejected_ratio);
  add_to(sums + 32, count);
}

import { hsum_f64 } from "./inline/hsum";

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
  let count =
    i32x4.extract_lane(wins, 0) + i32x4.extract_lane(wins, 1) + i32x4.extract_lane(wins, 2) + i32x4.extract_lane(wins, 3);
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
  store<f64>(sums, load<f64>(sums) + sum_chosen);
  store<f64>(sums, load<f64>(sums, 8) + sum_rejected, 8);
  store<f64>(sums, load<f64>(sums, 16) + sum_chosen_ratio, 16);
  store<f64>(sums, load<f64>(sums, 24) + sum_rejected_ratio, 24);
  store<f64>(sums, load<f64>(sums, 32) + count, 32);
}

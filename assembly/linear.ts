// The passes over a tile of logits: rows × n columns, whose first column is the logit of id `first`. Rows are `stride`
// elements apart; `ids` holds each row's label.

import { entropy_grad_f32 } from "./entropy";
import { logits_stats_f32, logsumexp_f32 } from "./logprob";
import { logits_grad_f32 } from "./logprob-grad";
import { logits_grad_through_f32 } from "./logprob-through";
import { wide_scratch } from "./scratch";
import { transform_grad_f32 } from "./transform";

/**
 * Takes n more logits of each row into its seven float64 sums: the five of logprob.ts, then
 *
 *   5 the label's logit   6 the first id of the greatest logit
 */
export function linear_sums_f32(
  tile: usize,
  stride: usize,
  rows: usize,
  n: usize,
  first: usize,
  ids: usize,
  sums: usize,
  all: bool,
): void {
  for (let r: usize = 0; r < rows; r++, tile += stride << 2, ids += 4, sums += 56) {
    const max = load<f64>(sums);
    if (all) logits_stats_f32(tile, n, sums);
    else logsumexp_f32(tile, n, sums);
    if (load<f64>(sums) > max) store<f64>(sums, <f64>(first + index_of(tile, <f32>load<f64>(sums))), 48);
    // A label of another tile wraps around and is beyond n.
    const label = <usize>load<u32>(ids) - first;
    if (label < n) store<f64>(sums, <f64>load<f32>(tile + (label << 2)), 40);
  }
}

// Where the value stands first; it does.
function index_of(x: usize, value: f32): usize {
  let i: usize = 0;
  while (load<f32>(x + (i << 2)) != value) i++;
  return i;
}

/** Logits to their gradient, in place; `slopes` holds g, maximum and Σ e^(x - maximum) of each row, float64. */
export function linear_grad_f32(
  tile: usize,
  stride: usize,
  rows: usize,
  n: usize,
  first: usize,
  ids: usize,
  slopes: usize,
): void {
  for (let r: usize = 0; r < rows; r++, tile += stride << 2, ids += 4, slopes += 24) {
    const label = <usize>load<u32>(ids) - first;
    logits_grad_f32(tile, tile, n, label, load<f64>(slopes), load<f64>(slopes, 8), load<f64>(slopes, 16));
  }
}

/**
 * The same where logits were transformed, by `inner` and `outer` of transform.ts, to what is in the tile, or where losses look at
 * entropies: `entropies` holds h and `mean` of entropy.ts for each row, float64, or is 0. At most 8192 columns.
 */
export function linear_chain_f32(
  tile: usize,
  stride: usize,
  rows: usize,
  n: usize,
  first: usize,
  ids: usize,
  slopes: usize,
  entropies: usize,
  inner: f32,
  outer: f32,
): void {
  const logits = wide_scratch();
  for (let r: usize = 0; r < rows; r++, tile += stride << 2, ids += 4, slopes += 24) {
    const label = <usize>load<u32>(ids) - first;
    const g = load<f64>(slopes);
    const max = load<f64>(slopes, 8);
    const sum = load<f64>(slopes, 16);
    const h = entropies ? load<f64>(entropies + (r << 4)) : 0;
    if (h == 0) {
      logits_grad_through_f32(tile, tile, n, label, g, max, sum, inner, outer);
      continue;
    }
    memory.copy(logits, tile, n << 2);
    entropy_grad_f32(logits, tile, n, label, g, h, max, sum, load<f64>(entropies + (r << 4), 8));
    if (inner != 1 || outer != 0) transform_grad_f32(logits, tile, n, inner, outer);
  }
}

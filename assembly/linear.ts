// The passes over a tile of logits: rows × n columns, whose first column is the logit of id `first`. Rows are `stride`
// elements apart; `ids` holds each row's label.

import { logits_stats_f32, logsumexp_f32 } from "./logprob";
import { logits_grad_f32 } from "./logprob-grad";

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

import { defineLoss } from "./define.ts";
import { sigmoidLoss } from "./sigmoid.ts";

/**
 * Alignment by optimal transport, paired: the policy's margins, sorted, against the reference's margins, sorted.
 *
 * Note      Depends on the batch: losses are by rank. Some guides swap the names; in TRL `aot` is paired, and the old
 *           `aot_pair` was unpaired.
 * Paper     Melnyk et al. 2024, arXiv:2406.05882 (TRL: logistic penalty, hard sort, within the batch)
 */
export const aot = defineLoss({
  id: "aot",
  title: "stochastic dominance of the policy's margins over the reference's: AOT, paired",
  params: sigmoidLoss.params,
  sorted: "margins",
  margin: sigmoidLoss.margin,
});

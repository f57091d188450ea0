import { defineLoss } from "./define.ts";
import { sigmoidLoss } from "./sigmoid.ts";

/**
 * Alignment by optimal transport, unpaired: chosen log-ratios, sorted, against rejected log-ratios, sorted.
 *
 * Note      For data that are not pairs. Depends on the batch. TRL called it `aot_pair` up to v0.28.
 * Paper     Melnyk et al. 2024, arXiv:2406.05882
 */
export const aotUnpaired = defineLoss({
  id: "aot_unpaired",
  title: "stochastic dominance of chosen over rejected log-ratios: AOT, unpaired",
  params: sigmoidLoss.params,
  sorted: "ratios",
  margin: sigmoidLoss.margin,
});

import { defineLoss } from "./define.ts";
import { beta } from "./params.ts";

/**
 * Reward-aware preference optimization, squared distance: (z − Δ*)², z = β·d, Δ* the pair's `rewardMargin`.
 *
 * Note      For pairs with a reward of each completion: the margin should be as large as theirs, not as large as possible. Δ* is
 *           η·(reward of chosen − reward of rejected), which you scale yourself: NeMo-Aligner's `gt_reward_scale`.
 * Paper     Adler et al. 2024, Nemotron-4 340B, arXiv:2406.11704, eq. 1; `rpo_sq` of NeMo-Aligner
 */
export const rpoSq = defineLoss({
  id: "rpo_sq",
  title: "squared distance of the reward margin to a given one: RPO",
  params: { beta },
  columns: ["rewardMargin"],
  margin: (d, rewardMargin, beta) => {
    const error = beta * d - rewardMargin;
    return [error * error, 2 * beta * error];
  },
});

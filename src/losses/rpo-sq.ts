import { defineLoss } from "./define.ts";
import { beta } from "./params.ts";

/**
 * Reward-aware preference optimization, squared distance: (z − Δ*)², z = β·d, Δ* the pair's `rewardMargin`.
 *
 * Note      Pairs that bring rewards of both completions: the margin should be as large as theirs, not as large as it can be. Δ* is
 *           η·(reward of chosen − of rejected), scaled by you: NeMo-Aligner's `gt_reward_scale`.
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

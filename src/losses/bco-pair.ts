import { defineLoss } from "./define.ts";
import { sigmoid, softplus } from "./math.ts";
import { beta, rewardShift } from "./params.ts";

/**
 * A binary classifier of rewards, chosen 1, rejected 0: softplus(−(x−δ)) + softplus(y−δ), x = β·a, y = β·c.
 *
 * δ is `rewardShift`, a constant for differentiation: 0 in current TRL, the running mean of rewards up to v0.28 and in the
 * paper.
 * Note      Takes a pair as one thumbs up and one thumbs down. TRL up to v0.28 shifts the rewards by a running mean: rewardShift.
 * Paper     Jung et al. 2024, arXiv:2404.04656
 */
export const bcoPair = defineLoss({
  id: "bco_pair",
  title: "binary classifier of rewards: BCO",
  params: { beta, rewardShift },
  pair: (a, c, beta, rewardShift) => {
    const x = beta * a - rewardShift;
    const y = beta * c - rewardShift;
    return [softplus(-x) + softplus(y), -beta * sigmoid(-x), beta * sigmoid(y)];
  },
});

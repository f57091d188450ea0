import { defineLoss } from "./define.ts";
import { sigmoid, softplus } from "./math.ts";
import { beta, rewardShift } from "./params.ts";

/**
 * A binary classifier of rewards, desirable 1, undesirable 0: softplus(−x), x = y of a desirable row and −y of an undesirable one,
 * y = β·r − δ.
 *
 * δ is `rewardShift`, a constant for differentiation: the mean of all rewards seen, the batch's own included.
 * Note      For thumbs up and thumbs down, with gradients that do not vanish. `createRunningMean()` is TRL's δ: each row counts once.
 * Paper     Jung et al. 2024, arXiv:2404.04656
 */
export const bco = defineLoss({
  id: "bco",
  title: "binary classifier of single rows' rewards: BCO",
  params: { beta, rewardShift },
  row: (r, desirable, beta, rewardShift) => {
    const y = beta * r - rewardShift;
    const x = desirable > 0 ? y : -y;
    const slope = beta * sigmoid(-x);
    return [softplus(-x), desirable > 0 ? -slope : slope];
  },
});

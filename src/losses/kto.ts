import { defineLoss } from "./define.ts";
import { sigmoid } from "./math.ts";
import { beta, desirableWeight, kl, undesirableWeight } from "./params.ts";

/**
 * Kahneman-Tversky optimization: λ·σ(−x), x = β·(r − k) of a desirable row and its negative of an undesirable one.
 *
 * k ≥ 0 is what the batch says of the policy's distance to the reference: the mean log-ratio of mismatched rows (the prompt of one
 * row, the completion of another), 0 where it is less; a constant for differentiation.
 * Note      For thumbs up and thumbs down, without pairs. Bounded; gradients vanish in saturation. Weight the two kinds of rows so
 *           that λ_D·n_D / (λ_U·n_U) lies in [1, 4/3] over the training set.
 * Paper     Ethayarajh et al. 2024, arXiv:2402.01306, eq. 8
 */
export const kto = defineLoss({
  id: "kto",
  title: "value of a row against the batch's KL: KTO",
  params: { beta, desirableWeight, undesirableWeight, kl },
  row: (r, desirable, beta, desirableWeight, undesirableWeight, kl) => {
    const z = beta * (r - kl);
    const x = desirable > 0 ? z : -z;
    const loss = (desirable > 0 ? desirableWeight : undesirableWeight) * sigmoid(-x);
    const slope = beta * loss * sigmoid(x);
    return [loss, desirable > 0 ? -slope : slope];
  },
});

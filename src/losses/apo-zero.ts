import { defineLoss } from "./define.ts";
import { sigmoid } from "./math.ts";
import { beta } from "./params.ts";

/**
 * Anchored preference optimization, zero: σ(−x) + σ(y), x = β·a, y = β·c.
 *
 * Note      For when the model is worse than the chosen answers. Bounded; gradients vanish in saturation.
 * Paper     D'Oosterlinck et al. 2024, arXiv:2408.06266, eq. 7 (TRL adds the constant 1)
 */
export const apoZero = defineLoss({
  id: "apo_zero",
  title: "raise the chosen, lower the rejected: APO-zero",
  params: { beta },
  pair: (a, c, beta) => {
    const x = beta * a;
    const y = beta * c;
    return [sigmoid(-x) + sigmoid(y), -beta * sigmoid(x) * sigmoid(-x), beta * sigmoid(y) * sigmoid(-y)];
  },
});

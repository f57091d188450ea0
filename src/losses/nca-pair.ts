import { defineLoss } from "./define.ts";
import { sigmoid, softplus } from "./math.ts";
import { beta } from "./params.ts";

/**
 * Noise contrastive alignment for pairs: softplus(−x) + ½·softplus(x) + ½·softplus(y), x = β·a, y = β·c.
 *
 * Note      Keeps the chosen reward near ln 2 instead of raising it without end. β is 0.01 in the paper.
 * Paper     Chen et al. 2024, arXiv:2402.05369 (K = 2)
 */
export const ncaPair = defineLoss({
  id: "nca_pair",
  title: "noise contrastive alignment, pair form",
  params: { beta },
  pair: (a, c, beta) => {
    const x = beta * a;
    const y = beta * c;
    return [
      softplus(-x) + 0.5 * softplus(x) + 0.5 * softplus(y),
      beta * (0.5 * sigmoid(x) - sigmoid(-x)),
      beta * 0.5 * sigmoid(y),
    ];
  },
});

import { defineLoss } from "./define.ts";
import { sigmoid } from "./math.ts";
import { beta } from "./params.ts";

/**
 * Anchored preference optimization, down: σ(x) + σ(−z), x = β·a, z = β·(a − c).
 *
 * σ(x)σ(−x) − σ(z)σ(−z) cancels where |z| ≈ |x|. Since z² − x² = −y·w with y = β·c, w = β·(2a − c), it equals, without
 * cancellation, −sign(y·w)·e^−min(|x|,|z|)·expm1(−|y|)·expm1(−|w|) / ((1+e^−|x|)²(1+e^−|z|)²).
 * Note      For when the model is better than the chosen answers. The second term is on the margin, not on the rejected completion alone.
 * Paper     D'Oosterlinck et al. 2024, arXiv:2408.06266, eq. 8 (TRL adds the constant 1)
 */
export const apoDown = defineLoss({
  id: "apo_down",
  title: "lower both, the rejected more: APO-down",
  params: { beta },
  pair: (a, c, beta) => {
    const x = beta * a;
    const y = beta * c;
    const z = beta * (a - c);
    const w = beta * (2 * a - c);
    const ex = Math.exp(-Math.abs(x));
    const ez = Math.exp(-Math.abs(z));
    const spread = Math.expm1(-Math.abs(y)) * Math.expm1(-Math.abs(w));
    const scale = (1 + ex) * (1 + ez);
    const da = (y * w > 0 ? -1 : 1) * ((Math.max(ex, ez) * spread) / (scale * scale));
    return [sigmoid(x) + sigmoid(-z), beta * da, beta * sigmoid(z) * sigmoid(-z)];
  },
});

import { defineLoss } from "./define.ts";
import { sigmoid } from "./math.ts";
import { beta, desirableWeight, undesirableWeight } from "./params.ts";

/**
 * Anchored preference optimization, zero, of single rows: λ·σ(−x), x = β·r of a desirable row and −β·r of an undesirable one.
 *
 * Note      KTO without a KL term, so without mismatched rows. Over as many rows of either kind its mean is half that of apo_zero.
 * Paper     D'Oosterlinck et al. 2024, arXiv:2408.06266, eq. 7 (TRL adds the constant 1)
 */
export const apoZeroUnpaired = defineLoss({
  id: "apo_zero_unpaired",
  title: "raise the desirable, lower the undesirable: APO-zero of rows",
  params: { beta, desirableWeight, undesirableWeight },
  row: (r, desirable, beta, desirableWeight, undesirableWeight) => {
    const z = beta * r;
    const x = desirable > 0 ? z : -z;
    const loss = (desirable > 0 ? desirableWeight : undesirableWeight) * sigmoid(-x);
    const slope = beta * loss * sigmoid(x);
    return [loss, desirable > 0 ? -slope : slope];
  },
});

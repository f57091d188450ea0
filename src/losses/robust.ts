import { defineLoss } from "./define.ts";
import { sigmoid, softplus } from "./math.ts";
import { beta } from "./params.ts";
import { between } from "./ranges.ts";

/**
 * DPO made unbiased under flipped labels: [(1−ε)·softplus(−z) − ε·softplus(z)] / (1−2ε) = softplus(−z) − k·z, k = ε/(1−2ε).
 *
 * The flipped term is subtracted; added it would be cDPO. Unbounded below: negative losses are normal.
 * Note      For noisy labels; ε is the noise rate. This is not smoothing (that is sigmoid with ε): the loss may be negative, and the
 *           gradient never vanishes.
 * Paper     Chowdhury et al. 2024, arXiv:2403.00409
 */
export const robust = defineLoss({
  id: "robust",
  title: "DPO, unbiased when a share ε of the labels is flipped",
  params: { beta, labelSmoothing: between(0, 0.5, 0, "max") },
  margin: (d, beta, labelSmoothing) => {
    const z = beta * d;
    const k = labelSmoothing / (1 - 2 * labelSmoothing);
    return [softplus(-z) - (labelSmoothing > 0 ? k * z : 0), -beta * (sigmoid(-z) + k)];
  },
});

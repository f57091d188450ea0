import { defineLoss } from "./define.ts";
import { sigmoid, softplus } from "./math.ts";
import { beta, labelSmoothing } from "./params.ts";

/**
 * Direct preference optimization: −(1−ε)·log σ(z) − ε·log σ(−z), z = β·d, with cDPO's label smoothing ε.
 *
 * Written as softplus(−z) + ε·z, so that the slope keeps its digits at both ends; the test keeps 0·∞ out at z = ∞, the
 * floor ∞ − ∞ at z = −∞.
 * Note      The default. β 0.5 stays close to the reference, 0.01 moves far. Current TRL ignores label_smoothing here;
 *           this is cDPO.
 * Paper     Rafailov et al. 2023, arXiv:2305.18290, eq. 7; smoothing: Mitchell 2023, "A note on DPO with noisy preferences"
 */
export const sigmoidLoss = defineLoss({
  id: "sigmoid",
  title: "logistic loss of the margin: DPO; with labelSmoothing cDPO",
  params: { beta, labelSmoothing },
  margin: (d, beta, labelSmoothing) => {
    const z = beta * d;
    const smoothing = labelSmoothing > 0 ? labelSmoothing * Math.max(z, -3e38) : 0;
    return [softplus(-z) + smoothing, beta * (labelSmoothing - sigmoid(-z))];
  },
});

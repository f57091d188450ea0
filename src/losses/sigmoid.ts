import { defineLoss } from "./define.ts";
import { sigmoid, softplus } from "./math.ts";
import { beta, labelSmoothing } from "./params.ts";

/**
 * Direct preference optimization: −(1−ε)·log σ(z) − ε·log σ(−z), z = β·d, with cDPO's label smoothing ε.
 *
 * Written as softplus(−z) + ε·z: the slope keeps its digits at both ends. Without the test for ε = 0, z = ∞ gives 0·∞.
 * Paper     Rafailov et al. 2023, arXiv:2305.18290, eq. 7; smoothing: Mitchell 2023, "A note on DPO with noisy preferences"
 */
export const sigmoidLoss = defineLoss({
  id: "sigmoid",
  title: "logistic loss of the margin: DPO; with labelSmoothing cDPO",
  paper: "arXiv:2305.18290, eq. 7",
  note: "The default. β 0.5 stays close to the reference, 0.01 moves far. Current TRL ignores label_smoothing here; this is cDPO.",
  params: { beta, labelSmoothing },
  margin: (d, beta, labelSmoothing) => {
    const z = beta * d;
    return [softplus(-z) + (labelSmoothing > 0 ? labelSmoothing * z : 0), beta * (labelSmoothing - sigmoid(-z))];
  },
});

import { defineLoss } from "./define.ts";
import { sigmoid, softplus } from "./math.ts";
import { alphapoAlpha, beta, labelSmoothing, simpoGamma } from "./params.ts";

/**
 * Simple preference optimization: −(1−ε)·log σ(z) − ε·log σ(−z), z = β·d − γ, of the policy's own log-probs per token.
 *
 * The forms of `sigmoid`, whose γ is 0.
 * Note      Needs lengths; no reference. γ is absolute, as in TRL; the paper tabulates γ/β. In the paper β is 2 to 10 and γ/β 0.3 to
 *           0.5; TRL's β of 0.1 is far from that. TRL's default also adds the chosen completions' NLL: cpoAlpha.
 * Paper     Meng et al. 2024, arXiv:2405.14734, eq. 6; AlphaPO (alphapoAlpha): Gupta et al. 2025, arXiv:2501.03884
 */
export const simpo = defineLoss({
  id: "simpo",
  title: "logistic loss of the margin of log-probs per token, less γ: SimPO; with alphapoAlpha AlphaPO",
  params: { beta, simpoGamma, labelSmoothing, alphapoAlpha },
  reference: false,
  nll: "completion",
  normalised: true,
  margin: (d, beta, simpoGamma, labelSmoothing) => {
    const z = beta * d - simpoGamma;
    const smoothing = labelSmoothing > 0 ? labelSmoothing * Math.max(z, -3e38) : 0;
    return [softplus(-z) + smoothing, beta * (labelSmoothing - sigmoid(-z))];
  },
});

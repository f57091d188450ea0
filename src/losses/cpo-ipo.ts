import { defineLoss } from "./define.ts";
import { ipo } from "./ipo.ts";
import { alphapoAlpha, beta } from "./params.ts";

/**
 * The formula of `ipo`, of the policy's own log-probs per token.
 *
 * Note      Needs lengths. TRL's CPOConfig: `loss_type="ipo"`.
 * Paper     Xu et al. 2024, arXiv:2401.08417; Azar et al. 2023, arXiv:2310.12036
 */
export const cpoIpo = defineLoss({
  id: "cpo_ipo",
  title: "squared distance of the margin of log-probs per token to 1/(2β), without a reference",
  params: { beta, alphapoAlpha },
  reference: false,
  nll: "completion",
  normalised: true,
  margin: ipo.margin,
});

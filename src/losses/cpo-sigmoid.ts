import { defineLoss } from "./define.ts";
import { alphapoAlpha, beta, labelSmoothing } from "./params.ts";
import { sigmoidLoss } from "./sigmoid.ts";

/**
 * Contrastive preference optimization: the formula of `sigmoid`, of the policy's own log-probs.
 *
 * Note      Needs no reference model: it is DPO with a uniform one. Log-probs are sums, so length matters. TRL adds cpo_alpha (1 by
 *           default) times the chosen completions' NLL: cpoAlpha.
 * Paper     Xu et al. 2024, arXiv:2401.08417
 */
export const cpoSigmoid = defineLoss({
  id: "cpo_sigmoid",
  title: "DPO without a reference: CPO",
  params: { beta, labelSmoothing, alphapoAlpha },
  reference: false,
  nll: "completion",
  margin: sigmoidLoss.margin,
});

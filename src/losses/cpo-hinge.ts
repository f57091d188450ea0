import { defineLoss } from "./define.ts";
import { hinge } from "./hinge.ts";
import { alphapoAlpha, beta } from "./params.ts";

/**
 * The formula of `hinge`, of the policy's own log-probs.
 *
 * Note      SLiC as published: a hinge on log-likelihoods, without a reference. TRL's CPOConfig: `loss_type="hinge"`.
 * Paper     Xu et al. 2024, arXiv:2401.08417; SLiC-HF, arXiv:2305.10425
 */
export const cpoHinge = defineLoss({
  id: "cpo_hinge",
  title: "hinge on the margin of log-probs, without a reference",
  params: { beta, alphapoAlpha },
  reference: false,
  nll: "completion",
  margin: hinge.margin,
});

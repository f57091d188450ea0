import { defineLoss } from "./define.ts";
import { sigmoid, softplus } from "./math.ts";
import { beta } from "./params.ts";

/**
 * DPO on log-ratios divided by completion length.
 *
 * Note      Needs lengths. β acts per token, so it is larger than for sigmoid: 5 in the paper.
 * Paper     Tülu 3, arXiv:2411.15124; SimPO, arXiv:2405.14734, appendix
 */
export const sigmoidNorm = defineLoss({
  id: "sigmoid_norm",
  title: "DPO on log-ratios per token",
  params: { beta },
  normalised: true,
  margin: (d, beta) => {
    const z = beta * d;
    return [softplus(-z), -beta * sigmoid(-z)];
  },
});

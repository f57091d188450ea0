import { defineLoss } from "./define.ts";
import { sigmoid, softplus } from "./math.ts";
import { beta, dpopLambda } from "./params.ts";

/**
 * DPO-Positive: softplus(−z), z = β·(a − c − λ·max(0, −a)).
 *
 * The paper's penalty is max(0, log(π_ref(y_w)/π(y_w))) = max(0, −a), inside the logistic and scaled by β with the margin. Forks
 * that subtract it outside the logistic, or leave β off it, compute another loss. At the kink, a = 0, the slope is that above it;
 * the test of λ keeps 0·∞ out.
 * Note      Keeps the chosen completion at least as likely as under the reference, where DPO may lower both.
 * Paper     Pal et al. 2024, arXiv:2402.13228, eq. 3
 */
export const dpop = defineLoss({
  id: "dpop",
  title: "DPO that penalises a chosen completion less likely than under the reference: DPO-Positive",
  params: { beta, dpopLambda },
  pair: (a, c, beta, dpopLambda) => {
    const penalty = dpopLambda > 0 ? dpopLambda * Math.min(a, 0) : 0;
    const z = beta * (a - c + penalty);
    const slope = beta * sigmoid(-z);
    return [softplus(-z), a < 0 ? -slope * (1 + dpopLambda) : -slope, slope];
  },
});

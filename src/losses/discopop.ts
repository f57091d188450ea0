import { defineLoss } from "./define.ts";
import { sigmoid, softplus } from "./math.ts";
import { beta, discopopTau } from "./params.ts";

/**
 * A blend of logistic and exponential loss, found by search: (1−w)·softplus(−z) + w·e^−z, w = σ(z/τ), z = β·d.
 *
 * For z < 0, w·e^−z = e^(z(1/τ−1)) / (1 + e^(z/τ)) in place of 0·∞. The two bounds keep 0·∞ out at z = −∞ as well.
 * Not monotone: the slope at 0 is −¾ + (1 − ln 2)/(4τ), +0.784 at the default τ. That is the published loss.
 * Note      From research on discovered losses. Not monotone: the gradient at margin 0 is positive. τ > 1 diverges for negative
 *           margins.
 * Paper     Lu et al. 2024, arXiv:2406.08414 (τ divides the β-scaled margin)
 */
export const discopop = defineLoss({
  id: "discopop",
  title: "blend of logistic and exponential loss, found by search: DiscoPOP",
  params: { beta, discopopTau },
  margin: (d, beta, discopopTau) => {
    const z = beta * d;
    const u = z * (1 / discopopTau);
    const logistic = softplus(-z);
    const power = z >= 0 ? -z : Math.max(z, -1e30) * (1 / discopopTau - 1);
    const exponential = Math.exp(power) / (1 + Math.exp(-Math.abs(u)));
    const slope =
      exponential * ((1 / discopopTau) * sigmoid(-u) - 1) -
      (1 / discopopTau) * (sigmoid(u) * sigmoid(-u)) * Math.min(logistic, 1e30) -
      sigmoid(-u) * sigmoid(-z);
    return [sigmoid(-u) * logistic + exponential, beta * slope];
  },
});

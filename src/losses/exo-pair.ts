import { defineLoss } from "./define.ts";
import { sigmoid } from "./math.ts";
import { beta } from "./params.ts";
import { between } from "./ranges.ts";

/**
 * Reverse KL from q = σ(z) to the smoothed label: q·(ln q − ln(1−ε)) + (1−q)·(ln(1−q) − ln ε). Zero at z = ln((1−ε)/ε).
 *
 * With u the distance to that zero and e = exp(−|z|), it is −ln(1−ε) − log1p(e) − u·σ(−z) for z ≥ 0, −ln ε − log1p(e) + u·σ(z)
 * below: no 0·∞ once z is held finite, and by ±1000 every exponential is 0 in float32 and in float64. Near the zero these
 * cancel: there it is the series ∫ t·σ′(t − u₀) dt of the slope, w = ε(1−ε), m = 2ε − 1.
 * Note      ε must be positive: 1e-3 in the paper. The gradient vanishes at both ends.
 * Paper     Ji et al. 2024, arXiv:2402.00856, eq. 16 (K = 2)
 */
export const exoPair = defineLoss({
  id: "exo_pair",
  title: "reverse KL to the smoothed label: EXO",
  params: { beta, labelSmoothing: between(0, 0.5, 1e-3, "both") },
  margin: (d, beta, labelSmoothing) => {
    const z = Math.max(Math.min(beta * d, 1000), -1000);
    const u = z - Math.log((1 - labelSmoothing) / labelSmoothing);
    const tail = sigmoid(-Math.abs(z));
    const share = u * tail;
    const rest = z >= 0 ? -Math.log(1 - labelSmoothing) - share : share - Math.log(labelSmoothing);
    const far = rest - Math.log1p(Math.exp(-Math.abs(z)));
    const w = labelSmoothing * (1 - labelSmoothing);
    const m = 2 * labelSmoothing - 1;
    const high =
      (w * (1 - 30 * w + 120 * w * w)) / 144 +
      u *
        ((w * m * (1 - 60 * w + 360 * w * w)) / 840 +
          u * ((w * (1 - 126 * w + 1680 * w * w - 5040 * w * w * w)) / 5760));
    const middle = (w * (1 - 6 * w)) / 8 + u * ((w * m * (1 - 12 * w)) / 30 + u * high);
    const near = u * u * (w / 2 + u * ((w * m) / 3 + u * middle));
    const slope = tail * sigmoid(Math.abs(z)) * u;
    return [Math.abs(u) < 0.25 ? near : far, beta * slope];
  },
});

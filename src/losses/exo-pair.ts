import { between, defineLoss } from "./define.ts";
import { sigmoid } from "./math.ts";
import { beta } from "./params.ts";

/**
 * Reverse KL from q = σ(z) to the smoothed label: q·(ln q − ln(1−ε)) + (1−q)·(ln(1−q) − ln ε). Zero at z = ln((1−ε)/ε).
 *
 * q ln q + (1−q) ln(1−q) = −log1p(e) − |z|·(1−σ|z|), e = exp(−|z|): no 0·∞ once z is held finite, and by ±1000 every
 * exponential is 0 in float32 and in float64.
 * Note      ε must be positive: 1e-3 in the paper. The gradient vanishes at both ends.
 * Paper     Ji et al. 2024, arXiv:2402.00856, eq. 16 (K = 2)
 */
export const exoPair = defineLoss({
  id: "exo_pair",
  title: "reverse KL to the smoothed label: EXO",
  params: { beta, labelSmoothing: between(0, 0.5, 1e-3, "both") },
  margin: (d, beta, labelSmoothing) => {
    const z = Math.max(Math.min(beta * d, 1000), -1000);
    const size = Math.abs(z);
    const entropy = Math.log1p(Math.exp(-size)) + size * sigmoid(-size);
    const crossEntropy = -sigmoid(z) * Math.log(1 - labelSmoothing) - sigmoid(-z) * Math.log(labelSmoothing);
    const slope = sigmoid(z) * sigmoid(-z) * (z - Math.log((1 - labelSmoothing) / labelSmoothing));
    return [crossEntropy - entropy, beta * slope];
  },
});

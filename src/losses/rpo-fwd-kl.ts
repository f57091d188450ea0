import { defineLoss } from "./define.ts";
import { sigmoid, softplus } from "./math.ts";
import { beta } from "./params.ts";

/**
 * Reward-aware preference optimization, KL(σ(z) ‖ σ(Δ*)) over the two outcomes, z = β·d, Δ* the pair's `rewardMargin`.
 *
 * The direction of the names is said at `rpo_bwd_kl`. This is `exo_pair` with a label of its own for each pair, Δ* in place of
 * ln((1−ε)/ε), and is computed as there, with both signs turned where z < 0: x = |z|, u = x − y, softplus(−y) − softplus(−x) − u·σ(−x),
 * near u = 0 the series of ∫ t·σ′(t + y) dt.
 * Note      Weights by the policy's own probability: the gradient vanishes where the policy is sure. Needs rewardMargin.
 * Paper     Adler et al. 2024, Nemotron-4 340B, arXiv:2406.11704; `rpo_fwd_kl` of NeMo-Aligner
 */
export const rpoFwdKl = defineLoss({
  id: "rpo_fwd_kl",
  title: "KL from the policy's preference to a reward model's: RPO",
  params: { beta },
  columns: ["rewardMargin"],
  margin: (d, rewardMargin, beta) => {
    const z = Math.max(Math.min(beta * d, 1000), -1000);
    const x = Math.abs(z);
    const y = Math.max(Math.min(z < 0 ? -rewardMargin : rewardMargin, 3e38), -3e38);
    const u = x - y;
    const tail = sigmoid(-x);
    const far = softplus(-y) - softplus(-x) - u * tail;
    const s = sigmoid(-y);
    const w = s * sigmoid(y);
    const m = 2 * s - 1;
    const high =
      (w * (1 - 30 * w + 120 * w * w)) / 144 +
      u *
        ((w * m * (1 - 60 * w + 360 * w * w)) / 840 +
          u * ((w * (1 - 126 * w + 1680 * w * w - 5040 * w * w * w)) / 5760));
    const middle = (w * (1 - 6 * w)) / 8 + u * ((w * m * (1 - 12 * w)) / 30 + u * high);
    const near = u * u * (w / 2 + u * ((w * m) / 3 + u * middle));
    const slope = tail * sigmoid(x) * u;
    return [Math.abs(u) < 0.32 ? near : far, z < 0 ? -beta * slope : beta * slope];
  },
});

import { defineLoss } from "./define.ts";
import { sigmoid, softplus } from "./math.ts";
import { beta } from "./params.ts";

/**
 * Reward-aware preference optimization, KL(σ(Δ*) ‖ σ(z)) over the two outcomes, z = β·d, Δ* the pair's `rewardMargin`.
 *
 * The names' direction is NeMo-Aligner's (`gpt_dpo`'s preference loss): "bwd" weighs by the given outcome, e^logα·(logα − logβ) with
 * α of the rewards and β of the policy; "fwd" by the policy's. Nemotron-4's paper has this direction, without a name for it.
 *
 * With both signs turned where Δ* < 0, so that y = |Δ*|, and u = z − y, it is softplus(−z) − softplus(−y) + u·σ(−y). Near u = 0 these
 * cancel: there it is the series Σ κ·u^n / n!, κ the cumulants of σ's derivatives at y, w = σ(y)σ(−y), m = 2σ(−y) − 1. The slope
 * σ(z) − σ(Δ*) is the product of what both sides share and 1 − e^−|u|. The bounds keep 0·∞ out.
 * Note      Cross-entropy to the preference probability of a reward model: soft labels. Needs rewardMargin.
 * Paper     Adler et al. 2024, Nemotron-4 340B, arXiv:2406.11704, eq. 1; `rpo_bwd_kl` of NeMo-Aligner
 */
export const rpoBwdKl = defineLoss({
  id: "rpo_bwd_kl",
  title: "KL from a reward model's preference to the policy's: RPO",
  params: { beta },
  columns: ["rewardMargin"],
  margin: (d, rewardMargin, beta) => {
    const z = rewardMargin < 0 ? -(beta * d) : beta * d;
    const y = Math.abs(rewardMargin);
    const u = Math.max(Math.min(z - y, 3e38), -3e38);
    const tail = sigmoid(-y);
    const far = softplus(-z) - softplus(-y) + u * tail;
    const w = tail * sigmoid(y);
    const m = 2 * tail - 1;
    const high =
      (w * (1 - 30 * w + 120 * w * w)) / 720 +
      u *
        ((w * m * (1 - 60 * w + 360 * w * w)) / 5040 +
          u * ((w * (1 - 126 * w + 1680 * w * w - 5040 * w * w * w)) / 40320));
    const middle = (w * (1 - 6 * w)) / 24 + u * ((w * m * (1 - 12 * w)) / 120 + u * high);
    const near = u * u * (w / 2 + u * ((w * m) / 6 + u * middle));
    const rise = Math.expm1(-Math.abs(u));
    const slope = u >= 0 ? -(sigmoid(z) * tail) * rise : sigmoid(-z) * sigmoid(y) * rise;
    return [Math.abs(u) < 0.4 ? near : far, rewardMargin < 0 ? -beta * slope : beta * slope];
  },
});

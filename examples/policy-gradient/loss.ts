// A clipped policy gradient (GRPO, PPO) in a few lines: any loss of token log-probs and entropies is a function between two calls.

import type { AsyncBackend, Backend, SequencesBatch } from "dpo-kernels";

export interface Rollout {
  /** [rows] how much better each completion is than the others of its prompt. */
  advantages: Float32Array;
  /** Token log-probs under the policy that wrote the completions, as `sequenceLogps` gave them; they also say which tokens count. */
  oldTokenLogps: ArrayLike<number>;
}

/** The mean over tokens of −min(r·A, clip(r, 1−ε, 1+ε)·A) − bonus·H, r = e^(log p − old log p), and its gradient. */
export async function clippedPolicyGradient(
  backend: Backend | AsyncBackend,
  batch: SequencesBatch & { tokens: { rows: number; length: number } },
  { advantages, oldTokenLogps }: Rollout,
  { epsilon = 0.2, bonus = 0 } = {},
) {
  const { tokenLogps, entropy } = await backend.sequenceLogps(batch, { entropy: true });
  const count = oldTokenLogps.length - Array.from(oldTokenLogps).filter((x) => x === 0).length;
  let loss = 0;
  const slopes = Float32Array.from(tokenLogps, (logp, t) => {
    const old = oldTokenLogps[t] as number;
    if (old === 0) return 0;
    const advantage = advantages[Math.floor(t / batch.tokens.length)] as number;
    const ratio = Math.exp(logp - old);
    const clipped = Math.min(Math.max(ratio, 1 - epsilon), 1 + epsilon);
    loss -= (Math.min(ratio * advantage, clipped * advantage) + bonus * (entropy[t] as number)) / count;
    return ratio * advantage <= clipped * advantage ? (-ratio * advantage) / count : 0;
  });
  const ofEntropy = slopes.map((_, t) => (oldTokenLogps[t] === 0 ? 0 : -bonus / count));
  const gradients = await backend.sequenceLogpsGrad(batch, { tokenLogps: slopes, entropy: ofEntropy });
  return { loss, gradients };
}

// DPO of a head in float64, written out: logits, log-probs, gradient, AdamW, TR-DPO. No code of the package's.

import type { PaddedBatch } from "../../src/index.ts";

export interface Float64Step {
  loss: number;
  gradNorm: number;
}

interface Setting {
  vocab: number;
  width: number;
  beta: number;
  lr: number;
  weightDecay: number;
  maxNorm: number;
  /** After every so many steps, α·policy + (1 − α)·reference. */
  sync?: { every: number; alpha: number };
}

/** One training: `step` takes the batches of a step, with their hidden states. */
export function float64Trainer(
  start: ArrayLike<number>,
  { vocab, width, beta, lr, weightDecay, maxNorm, sync }: Setting,
) {
  const weight = Float64Array.from(start);
  const reference = Float64Array.from(start);
  const m = new Float64Array(weight.length);
  const v = new Float64Array(weight.length);
  let t = 0;

  /** log p of the token at each counting position, and its gradient with respect to the logits if `add` wants it. */
  function logp(
    head: Float64Array,
    hidden: ArrayLike<number>,
    at: number,
    id: number,
    add?: (i: number, p: number) => void,
  ) {
    const logits = Float64Array.from({ length: vocab }, (_, i) => {
      let sum = 0;
      for (let d = 0; d < width; d++) sum += (head[i * width + d] as number) * (hidden[at * width + d] as number);
      return sum;
    });
    const most = Math.max(...logits);
    const total = logits.reduce((sum, z) => sum + Math.exp(z - most), 0);
    if (add)
      for (let i = 0; i < vocab; i++) add(i, (i === id ? 1 : 0) - Math.exp((logits[i] as number) - most) / total);
    return (logits[id] as number) - most - Math.log(total);
  }

  function* counting({ length, completionMask, inputIds }: PaddedBatch, row: number) {
    for (let k = 1; k < length; k++) {
      if (completionMask[row * length + k])
        yield { at: row * length + k - 1, id: inputIds[row * length + k] as number };
    }
  }

  function lossOf(batch: PaddedBatch, hidden: ArrayLike<number>, grad: Float64Array, scale: number): number {
    const sumOf = (head: Float64Array, row: number): number => {
      let sum = 0;
      for (const { at, id } of counting(batch, row)) sum += logp(head, hidden, at, id);
      return sum;
    };
    let loss = 0;
    for (let b = 0; b < batch.pairs; b++) {
      const ratios = [b, batch.pairs + b].map((row) => sumOf(weight, row) - sumOf(reference, row));
      const margin = beta * ((ratios[0] as number) - (ratios[1] as number));
      loss += Math.log1p(Math.exp(-margin)) / batch.pairs;
      const slope = -beta / (1 + Math.exp(margin)) / batch.pairs;
      for (const [row, sign] of [
        [b, 1],
        [batch.pairs + b, -1],
      ] as const) {
        for (const { at, id } of counting(batch, row)) {
          logp(weight, hidden, at, id, (i, p) => {
            for (let d = 0; d < width; d++) {
              const k = i * width + d;
              grad[k] = (grad[k] as number) + scale * sign * slope * p * (hidden[at * width + d] as number);
            }
          });
        }
      }
    }
    return loss;
  }

  return {
    weight,
    step(parts: readonly { batch: PaddedBatch; hidden: ArrayLike<number> }[]): Float64Step {
      const grad = new Float64Array(weight.length);
      const losses = parts.map(({ batch, hidden }) => lossOf(batch, hidden, grad, 1 / parts.length));
      const gradNorm = Math.hypot(...grad);
      const clip = Math.min(1, maxNorm / (gradNorm + 1e-6));
      t++;
      for (let k = 0; k < weight.length; k++) {
        const g = clip * (grad[k] as number);
        m[k] = 0.9 * (m[k] as number) + 0.1 * g;
        v[k] = 0.999 * (v[k] as number) + 0.001 * g * g;
        const root = Math.sqrt((v[k] as number) / (1 - 0.999 ** t)) + 1e-8;
        weight[k] = (weight[k] as number) * (1 - lr * weightDecay) - (lr * (m[k] as number)) / (1 - 0.9 ** t) / root;
      }
      if (sync && t % sync.every === 0) {
        for (let k = 0; k < weight.length; k++) {
          reference[k] = sync.alpha * (weight[k] as number) + (1 - sync.alpha) * (reference[k] as number);
        }
      }
      return { loss: losses.reduce((sum, loss) => sum + loss, 0) / losses.length, gradNorm };
    },
  };
}

// The losses of batches of pairs, summed up.

import type { Backend, PairLossResult } from "../types.ts";
import type { LossMean, Summing } from "./mean-loss.ts";
import type { Batch } from "./read-pairs.ts";

/**
 * Each batch is weighted with its pairs:
 *
 *   loss = Σ n·loss(batch) / N,  gradient of a pair = n/N · its gradient in the batch    (n of N pairs in the batch)
 *
 * Exact for losses of single pairs. Of losses that couple the pairs of a batch it is the mean over the batches.
 */
export const sumsOfPairs = (backend: Backend): Summing<Batch, PairLossResult> => ({
  numbersOf: ({ rows }) => rows,
  compute: ({ pairs }, options) => backend.pairLoss(pairs, options),
  sumUp,
});

function sumUp() {
  const metrics: Record<string, number> = {};
  let loss = 0;
  let squares = 0;
  const nan = { count: 0, first: 0 };
  return {
    add(result: PairLossResult, { rows }: Batch): void {
      const n = rows.length;
      loss += n * result.loss;
      squares += n * n * (sumOfSquares(result.gradChosen) + sumOfSquares(result.gradRejected));
      for (let i = 0; i < n; i++) {
        if (Number.isNaN(result.losses[i]) && nan.count++ === 0) nan.first = rows[i] ?? 0;
      }
      for (const [name, mean] of Object.entries(result.metrics)) metrics[name] = (metrics[name] ?? 0) + n * mean;
    },
    means(pairs: number): LossMean {
      const means = Object.fromEntries(Object.entries(metrics).map(([name, sum]) => [name, sum / pairs]));
      return { loss: loss / pairs, gradNorm: Math.sqrt(squares) / pairs, metrics: means, nan };
    },
  };
}

function sumOfSquares(values: Float32Array<ArrayBufferLike>): number {
  let sum = 0;
  for (const value of values) sum += value * value;
  return sum;
}

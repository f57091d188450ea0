// One loss for a file that is read in batches.

import { DpoError } from "../errors.ts";
import type { Backend, LossOptions, PairLossOptions, PairLossResult } from "../types.ts";
import type { Batch } from "./read-pairs.ts";
import { refusal } from "./refusal.ts";
import type { Source } from "./rows.ts";

/** A loss of a file. */
export interface LossMean {
  /** Mean over the pairs of the file. */
  loss: number;
  /** L2 norm of the gradient of `loss` with respect to all policy log-probabilities, chosen and rejected. */
  gradNorm: number;
  /** TRL's keys; means over the pairs of the file. */
  metrics: Record<string, number>;
  /** Pairs whose loss is NaN, and the row of the first. */
  nan: { pairs: number; first: number };
}

export interface FileLosses {
  pairs: number;
  batches: number;
  /** One for each of the losses asked for. */
  means: LossMean[];
}

/**
 * Means over all pairs from the means over batches, each weighted with its pairs, for each of the losses `calls`.
 * `onFirst` sees what each batch comes to with the first of them.
 *
 *   loss = Σ n·loss(batch) / N,  gradient of a pair = n/N · its gradient in the batch    (n of N pairs in the batch)
 *
 * Exact for losses of single pairs. Of losses that couple the pairs of a batch it is the mean over the batches.
 */
export async function lossesOfBatches(
  backend: Backend,
  source: Source,
  batches: AsyncIterable<Batch>,
  calls: readonly LossOptions[],
  onFirst: (result: PairLossResult, batch: Batch) => Promise<void>,
): Promise<FileLosses> {
  const sums = calls.map(() => sumUp());
  let pairs = 0;
  let count = 0;
  for await (const batch of batches) {
    pairs += batch.rows.length;
    count += 1;
    for (const [i, options] of calls.entries()) {
      const result = compute(backend, source, batch, i === 0 ? { ...options, metrics: "full" } : options);
      sums[i]?.add(result, batch);
      if (i === 0) await onFirst(result, batch);
    }
  }
  return { pairs, batches: count, means: sums.map((sum) => sum.means(pairs)) };
}

function sumUp() {
  const metrics: Record<string, number> = {};
  let loss = 0;
  let squares = 0;
  const nan = { pairs: 0, first: 0 };
  return {
    add(result: PairLossResult, { rows }: Batch): void {
      const n = rows.length;
      loss += n * result.loss;
      squares += n * n * (sumOfSquares(result.gradChosen) + sumOfSquares(result.gradRejected));
      for (let i = 0; i < n; i++) {
        if (Number.isNaN(result.losses[i]) && nan.pairs++ === 0) nan.first = rows[i] ?? 0;
      }
      for (const [name, mean] of Object.entries(result.metrics)) metrics[name] = (metrics[name] ?? 0) + n * mean;
    },
    means(pairs: number): LossMean {
      const means = Object.fromEntries(Object.entries(metrics).map(([name, sum]) => [name, sum / pairs]));
      return { loss: loss / pairs, gradNorm: Math.sqrt(squares) / pairs, metrics: means, nan };
    },
  };
}

/** A complaint of the library names an array and an index; the user knows a file and its lines. */
function compute(backend: Backend, source: Source, { pairs, rows }: Batch, options: PairLossOptions) {
  try {
    return backend.pairLoss(pairs, options);
  } catch (error) {
    if (!(error instanceof DpoError)) throw error;
    const at = Number(/^\w+\[(\d+)\]/.exec(error.message)?.[1] ?? 0);
    throw refusal(`${source.place(rows[at] ?? 0)}: ${error.message}`);
  }
}

function sumOfSquares(values: Float32Array<ArrayBufferLike>): number {
  let sum = 0;
  for (const value of values) sum += value * value;
  return sum;
}

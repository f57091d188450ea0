// One loss for a file that is read in batches.

import { DpoError } from "../errors.ts";
import type { Backend, LossOptions } from "../types.ts";
import type { Batch } from "./read-pairs.ts";
import { refusal } from "./refusal.ts";
import type { Source } from "./source.ts";

export interface FileLoss {
  pairs: number;
  batches: number;
  /** Mean over the pairs of the file. */
  loss: number;
  /** L2 norm of the gradient of `loss` with respect to all policy log-probabilities, chosen and rejected. */
  gradNorm: number;
  /** TRL's keys; means over the pairs of the file. */
  metrics: Record<string, number>;
}

/**
 * Means over all pairs from the means over batches, each weighted with its pairs.
 *
 *   loss = Σ n·loss(batch) / N,  gradient of a pair = n/N · its gradient in the batch    (n of N pairs in the batch)
 *
 * Exact for losses of single pairs. Of losses that couple the pairs of a batch it is the mean over the batches.
 */
export async function lossOfBatches(
  backend: Backend,
  source: Source,
  batches: AsyncIterable<Batch>,
  options: LossOptions,
): Promise<FileLoss> {
  const sums: Record<string, number> = {};
  let pairs = 0;
  let count = 0;
  let loss = 0;
  let squares = 0;
  for await (const batch of batches) {
    const n = batch.rows.length;
    const result = compute(backend, source, batch, options);
    pairs += n;
    count += 1;
    loss += n * result.loss;
    squares += n * n * (sumOfSquares(result.gradChosen) + sumOfSquares(result.gradRejected));
    for (const [name, mean] of Object.entries(result.metrics)) sums[name] = (sums[name] ?? 0) + n * mean;
  }
  const metrics = Object.fromEntries(Object.entries(sums).map(([name, sum]) => [name, sum / pairs]));
  return { pairs, batches: count, loss: loss / pairs, gradNorm: Math.sqrt(squares) / pairs, metrics };
}

/** A complaint of the library names an array and an index; the user knows a file and its lines. */
function compute(backend: Backend, source: Source, { pairs, rows }: Batch, options: LossOptions) {
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

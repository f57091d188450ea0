// One loss for a file that is read in batches.

import { DpoError } from "../errors.ts";
import type { LossOptions } from "../types.ts";
import { refusal } from "./refusal.ts";
import type { Source } from "./rows.ts";

/** A loss of a file of pairs, or of rows. */
export interface LossMean {
  /** Mean over the file. */
  readonly loss: number;
  /** L2 norm of the gradient of `loss` with respect to all policy log-probs. */
  readonly gradNorm: number;
  /** TRL's keys: means over the file. */
  readonly metrics: Record<string, number>;
  /** How many have a loss that is NaN, and the number of the first. */
  readonly nan: { readonly count: number; readonly first: number };
}

export interface FileLosses {
  /** Pairs, or rows. */
  readonly count: number;
  readonly batches: number;
  /** One for each of the losses asked for. */
  readonly means: readonly LossMean[];
}

/** How batches of pairs, or of rows, are computed and summed up. */
export interface Summing<Batch, Result> {
  /** The number in the file of each pair or row. */
  numbersOf(batch: Batch): ArrayLike<number>;
  compute(batch: Batch, options: LossOptions & { metrics?: "full" }): Result;
  sumUp(): {
    add(result: Result, batch: Batch): void;
    means(count: number): LossMean;
  };
}

/**
 * Means over the file from the means over batches, for each of the losses `calls`. `onFirst` sees what each batch comes to with the
 * first of them.
 */
export async function lossesOfBatches<Batch, Result>(
  source: Source,
  batches: AsyncIterable<Batch>,
  calls: readonly LossOptions[],
  { numbersOf, compute, sumUp }: Summing<Batch, Result>,
  onFirst: (result: Result, batch: Batch) => Promise<void>,
): Promise<FileLosses> {
  const sums = calls.map(sumUp);
  let count = 0;
  let read = 0;
  for await (const batch of batches) {
    const numbers = numbersOf(batch);
    count += numbers.length;
    read += 1;
    for (const [i, options] of calls.entries()) {
      const all = i === 0 ? { ...options, metrics: "full" as const } : options;
      const result = inTheFile(source, numbers, () => compute(batch, all));
      sums[i]?.add(result, batch);
      if (i === 0) await onFirst(result, batch);
    }
  }
  return { count, batches: read, means: sums.map((sum) => sum.means(count)) };
}

/** A complaint of the library names an array and an index; the user knows a file and its lines. */
function inTheFile<Result>(source: Source, numbers: ArrayLike<number>, compute: () => Result): Result {
  try {
    return compute();
  } catch (error) {
    if (!(error instanceof DpoError)) throw error;
    const at = Number(/^\w+\[(\d+)\]/.exec(error.message)?.[1] ?? 0);
    throw refusal(`${source.place(numbers[at] ?? 0)}: ${error.message}`);
  }
}

// One loss for a file of rows that is read in batches.

import { DpoError } from "../errors.ts";
import type { Backend, LossOptions, UnpairedLossOptions, UnpairedLossResult } from "../types.ts";
import type { RowBatch } from "./read-rows.ts";
import { refusal } from "./refusal.ts";
import type { Source } from "./rows.ts";

/** A loss of a file of rows. */
export interface RowMean {
  /** Mean over the rows whose loss is a number. */
  loss: number;
  /** L2 norm of the gradient of `loss` with respect to all policy log-probs. */
  gradNorm: number;
  /** TRL's keys: means over the rows of either label, `kl` over the batches' rows, `delta` after the last. */
  metrics: Record<string, number>;
  /** Rows whose loss is NaN, and the number of the first. */
  nan: { rows: number; first: number };
}

/**
 * Means over all rows from the means over batches, each weighted with its rows, for each of the losses `calls`. `onFirst` sees what
 * each batch comes to with the first of them.
 */
export async function lossesOfRowBatches(
  backend: Backend,
  source: Source,
  batches: AsyncIterable<RowBatch>,
  calls: readonly LossOptions[],
  onFirst: (result: UnpairedLossResult, batch: RowBatch) => Promise<void>,
): Promise<{ rows: number; batches: number; means: RowMean[] }> {
  const sums = calls.map(() => sumUp());
  let [rows, count] = [0, 0];
  for await (const batch of batches) {
    rows += batch.numbers.length;
    count++;
    for (const [i, options] of calls.entries()) {
      const result = compute(backend, source, batch, i === 0 ? { ...options, metrics: "full" } : options);
      sums[i]?.add(result, batch);
      if (i === 0) await onFirst(result, batch);
    }
  }
  return { rows, batches: count, means: sums.map((sum) => sum.means()) };
}

const sides = ["chosen", "rejected"] as const;

function sumUp() {
  const metrics: Record<string, number> = {};
  const nan = { rows: 0, first: 0 };
  let [loss, squares, all, counted] = [0, 0, 0, 0];
  const add = (name: string, value: number): void => {
    metrics[name] = (metrics[name] ?? 0) + value;
  };
  return {
    add({ losses, grad, metrics: own, loss: mean }: UnpairedLossResult, { numbers }: RowBatch): void {
      const numberless = losses.reduce((n, x) => n + (Number.isNaN(x) ? 1 : 0), 0);
      if (numberless > 0 && nan.rows === 0) nan.first = numbers[losses.findIndex(Number.isNaN)] ?? 0;
      nan.rows += numberless;
      const n = numbers.length - numberless;
      counted += n;
      all += numbers.length;
      if (n > 0) loss += n * mean;
      // Rows that are left out of the mean have no part in its gradient.
      for (const [i, slope] of grad.entries()) if (!Number.isNaN(losses[i])) squares += (n * slope) ** 2;
      for (const side of sides) {
        const count = own[`count/${side}`] ?? 0;
        if (count === 0) continue;
        add(`count/${side}`, count);
        for (const name of [`rewards/${side}`, `logps/${side}`]) add(name, count * (own[name] as number));
      }
      if (own["kl"] !== undefined) add("kl", numbers.length * own["kl"]);
      if (own["delta"] !== undefined) metrics["delta"] = own["delta"];
    },
    means(): RowMean {
      const means: Record<string, number> = {};
      for (const [name, sum] of Object.entries(metrics)) {
        const [kind, side] = name.split("/");
        const weight = kind === "kl" ? all : side && kind !== "count" ? (metrics[`count/${side}`] as number) : 1;
        means[name] = sum / weight;
      }
      const { "rewards/chosen": chosen, "rewards/rejected": rejected } = means;
      if (chosen !== undefined && rejected !== undefined) means["rewards/margins"] = chosen - rejected;
      const mean = counted > 0 ? loss / counted : NaN;
      return { loss: mean, gradNorm: Math.sqrt(squares) / counted, metrics: means, nan };
    },
  };
}

/** A complaint of the library names an array and an index; the user knows a file and its lines. */
function compute(backend: Backend, source: Source, { rows, numbers }: RowBatch, options: UnpairedLossOptions) {
  try {
    return backend.unpairedLoss(rows, options);
  } catch (error) {
    if (!(error instanceof DpoError)) throw error;
    const at = Number(/^\w+\[(\d+)\]/.exec(error.message)?.[1] ?? 0);
    throw refusal(`${source.place(numbers[at] ?? 0)}: ${error.message}`);
  }
}

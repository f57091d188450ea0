// The losses of batches of rows, summed up.

import type { Backend, UnpairedLossResult } from "../types.ts";
import type { LossMean, Summing } from "./mean-loss.ts";
import type { RowBatch } from "./read-rows.ts";

/**
 * Each batch is weighted with its rows whose loss is a number; `kl` is the mean over the batches' rows, `delta` what it is after the
 * last.
 */
export const sumsOfRows = (backend: Backend): Summing<RowBatch, UnpairedLossResult> => ({
  numbersOf: ({ numbers }) => numbers,
  compute: ({ rows }, options) => backend.unpairedLoss(rows, options),
  sumUp,
});

const sides = ["chosen", "rejected"] as const;

function sumUp() {
  const metrics: Record<string, number> = {};
  const nan = { count: 0, first: 0 };
  let [loss, squares, all, counted] = [0, 0, 0, 0];
  const add = (name: string, value: number): void => {
    metrics[name] = (metrics[name] ?? 0) + value;
  };
  return {
    add({ losses, grad, metrics: own, loss: mean }: UnpairedLossResult, { numbers }: RowBatch): void {
      const numberless = losses.reduce((n, x) => n + (Number.isNaN(x) ? 1 : 0), 0);
      if (numberless > 0 && nan.count === 0) nan.first = numbers[losses.findIndex(Number.isNaN)] ?? 0;
      nan.count += numberless;
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
    means(): LossMean {
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

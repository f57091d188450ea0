// The loss of a file of rows: batch by batch, and what is to be said of it.

import type { LossJob } from "./loss-of-pairs.ts";
import { openOutput, writing } from "./out.ts";
import { alone, batchNote } from "./plans.ts";
import { withProgress } from "./progress.ts";
import { readRows } from "./read-rows.ts";
import { refusal } from "./refusal.ts";
import type { Report } from "./report.ts";
import { lossesOfRowBatches, type RowMean } from "./row-means.ts";

export async function lossOfRows(job: LossJob): Promise<Report> {
  const { source, plan, options, isAll, paths, backend, batchSize, finite, map, groupBy, out } = job;
  if (groupBy !== undefined) throw refusal("--group-by: groups pairs, and these are rows");
  const start = performance.now();
  const batches = readRows(source, { plan, batchSize, finite, map, keepFields: out !== undefined });
  const parts = plan.terms.length > 1 || isAll ? plan.terms.map((term) => alone(term, options)) : [];
  const calls = isAll ? parts : [options, ...parts];
  const output = out === undefined ? undefined : await openOutput(out, paths, job.metadata);
  const compute = async () => {
    const losses = await lossesOfRowBatches(
      backend,
      source,
      batches,
      calls,
      async ({ losses, rewards }, { fields }) => {
        await output?.add(fields, (i) => ({ loss: losses[i] ?? NaN, reward: rewards?.[i] ?? NaN }));
      },
    );
    if (losses.rows === 0) throw refusal(`${source.name}: no rows`);
    return losses;
  };
  const { result, written } = await withProgress(source, () => writing(output, compute));
  const seconds = (performance.now() - start) / 1000;
  const { name, reason } = backend;
  const [first, ...others] = result.means as [RowMean, ...RowMean[]];
  const ofParts = isAll ? result.means : others;
  const nan = result.means.map((mean) => mean.nan).find(({ rows }) => rows > 0);
  return {
    file: source.name,
    ...(paths.length > 1 && { files: paths }),
    options: { ...options, beta: plan.beta },
    losses: plan.terms.map(({ loss, weight }) => ({ id: loss.id, ...(!isAll && { weight }) })),
    ...(ofParts.length > 0 && {
      each: ofParts.map(({ loss, gradNorm }, i) => ({ id: plan.terms[i]?.loss.id ?? "", loss, gradNorm })),
    }),
    rows: result.rows,
    batches: result.batches,
    ...(!isAll && { loss: first.loss, gradNorm: first.gradNorm }),
    metrics: first.metrics,
    ...(nan && { nan: { rows: nan.rows, first: source.place(nan.first) } }),
    seconds,
    rowsPerSecond: result.rows / seconds,
    backend: { name, reason },
    notes: [
      ...job.notes,
      ...batchNote(plan, "row", result.batches, batchSize),
      ...written,
      ...(nan ? [`NaN: the loss of ${nan.rows} of ${result.rows} rows, first ${source.place(nan.first)}`] : []),
    ],
  };
}

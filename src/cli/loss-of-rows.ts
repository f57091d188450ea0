// The loss of a file of rows: batch by batch, and what is to be said of it.

import { callsOf, type LossJob, notesFor, reportOf } from "./loss-job.ts";
import { lossesOfBatches } from "./mean-loss.ts";
import { openOutput, writing } from "./out.ts";
import { withProgress } from "./progress.ts";
import { readRows } from "./read-rows.ts";
import { refusal } from "./refusal.ts";
import type { Report } from "./report.ts";
import { sumsOfRows } from "./row-means.ts";

export async function lossOfRows(job: LossJob): Promise<Report> {
  const { source, plan, paths, backend, batchSize, finite, map, groupBy, out } = job;
  if (groupBy !== undefined) throw refusal("--group-by: groups pairs, and these are rows");
  const start = performance.now();
  const batches = readRows(source, { plan, batchSize, finite, map, keepFields: out !== undefined });
  const output = out === undefined ? undefined : await openOutput(out, paths, ["loss", "reward"], notesFor(job));
  const compute = async () => {
    const losses = await lossesOfBatches(
      source,
      batches,
      callsOf(job),
      sumsOfRows(backend),
      async ({ losses, rewards }, { fields }) => {
        await output?.add(fields, (i) => ({ loss: losses[i] ?? NaN, reward: rewards?.[i] ?? NaN }));
      },
    );
    if (losses.count === 0) throw refusal(`${source.name}: no rows`);
    return losses;
  };
  const { result, written } = await withProgress(source, () => writing(output, compute));
  return reportOf(job, "row", result, performance.now() - start, written);
}

// The loss of a file of pairs: batch by batch, and what is to be said of it.

import { needsOf } from "../plan/needs.ts";
import type { PairLossResult } from "../types.ts";
import { gatherGroups } from "./groups.ts";
import { callsOf, type LossJob, notesFor, reportOf } from "./loss-job.ts";
import { gatherMargins } from "./margins.ts";
import { lossesOfBatches } from "./mean-loss.ts";
import { openOutput, writing } from "./out.ts";
import { sumsOfPairs } from "./pair-means.ts";
import { withProgress } from "./progress.ts";
import { type PairReader, readPairs } from "./read-pairs.ts";
import { refusal } from "./refusal.ts";
import type { Report } from "./report.ts";
import type { Source } from "./rows.ts";

export async function lossOfPairs(job: LossJob): Promise<Report> {
  const { source, plan, paths, backend, batchSize, finite, map, groupBy, out } = job;
  const start = performance.now();
  const needs = { ...needsOf(plan), policyChosen: "every loss" };
  const pairs = readPairs(source, { needs, batchSize, finite, map, groupBy, keepFields: out !== undefined });
  const margins = gatherMargins();
  // Ranks and likelihoods are the batch's; a sum with one of them is not a pair's own either.
  const isOwn = plan.terms.every(({ loss }) => loss.batch === undefined);
  const groups = groupBy === undefined ? undefined : gatherGroups(groupBy, isOwn);
  const output = out === undefined ? undefined : await openOutput(out, paths, addedColumns, notesFor(job));
  const compute = async () => {
    const losses = await lossesOfBatches(
      source,
      pairs.batches,
      callsOf(job),
      sumsOfPairs(backend),
      async (result, batch) => {
        margins.add(result);
        job.watch?.(result, batch);
        groups?.add(result, batch.groups);
        await output?.add(batch.fields, (i) => columnsOf(result, i));
      },
    );
    if (losses.count === 0) throw refusal(`${source.name}: no pairs`);
    if (output && isHollow("rewards/margins", pairs))
      throw refusal("--out: not all pairs have what rewards are made of");
    return losses;
  };
  const { result, written } = await withProgress(source, () => writing(output, compute));
  const hasMargins = !isHollow("rewards/margins", pairs);
  const spread = hasMargins ? margins.spread() : undefined;
  if (groups && !hasMargins) throw refusal("--group-by: not all pairs have the log-probabilities of its means");
  const metrics = Object.entries(result.means[0]?.metrics ?? {}).filter(([name]) => !isHollow(name, pairs));
  return reportOf(job, "pair", result, performance.now() - start, written, {
    metrics: Object.fromEntries(metrics),
    ...(spread && { margins: spread }),
    ...(groups && { groups: groups.groups() }),
    notes: absenceNotes(source, pairs),
  });
}

const addedColumns = ["loss", "chosen_reward", "rejected_reward", "margin"];

function columnsOf({ losses, chosenRewards, rejectedRewards }: PairLossResult, i: number) {
  const [chosen, rejected] = [chosenRewards?.[i] ?? NaN, rejectedRewards?.[i] ?? NaN];
  return { loss: losses[i] ?? NaN, chosen_reward: chosen, rejected_reward: rejected, margin: chosen - rejected };
}

/** Whether a metric would tell of what the file does not hold. */
function isHollow(metric: string, { reference, rejected }: PairReader): boolean {
  const isReward = metric.startsWith("rewards/");
  if (isReward && reference.present > 0 && reference.absent > 0) return true;
  return rejected.absent > 0 && (metric.endsWith("/rejected") || (isReward && metric !== "rewards/chosen"));
}

/** Without any reference, rewards are those of the policy alone; with some, they would be a mixture. */
function absenceNotes({ place }: Source, { reference, rejected }: PairReader): string[] {
  const notes: string[] = [];
  if (reference.present > 0 && reference.absent > 0) {
    const pairs = reference.absent === 1 ? "1 pair has" : `${reference.absent} pairs have`;
    notes.push(`rewards: left out, since ${pairs} no reference, first ${place(reference.firstAbsent)}`);
  }
  if (rejected.absent > 0) {
    notes.push(`metrics of the rejected completions: left out, since ${place(rejected.firstAbsent)} has no log-prob`);
  }
  return notes;
}

// The loss of a file of pairs: batch by batch, and what is to be said of it.

import { needsOf } from "../plan/needs.ts";
import type { Plan } from "../plan/plan.ts";
import type { Backend, LossOptions, PairLossResult } from "../types.ts";
import type { ColumnMap } from "./field-names.ts";
import { gatherGroups } from "./groups.ts";
import { gatherMargins } from "./margins.ts";
import { type LossMean, lossesOfBatches } from "./mean-loss.ts";
import { openOutput, writing } from "./out.ts";
import { alone, batchNote } from "./plans.ts";
import { withProgress } from "./progress.ts";
import { type Batch, type PairReader, readPairs } from "./read-pairs.ts";
import { refusal } from "./refusal.ts";
import type { Report } from "./report.ts";
import type { Source } from "./rows.ts";

/** What the command line asks for. */
export interface LossJob {
  readonly source: Source;
  readonly plan: Plan;
  readonly options: LossOptions;
  /** Whether every loss is asked for, one by one. */
  readonly isAll: boolean;
  readonly paths: readonly string[];
  readonly backend: Backend;
  readonly batchSize: number;
  readonly finite: boolean;
  readonly map: ColumnMap;
  readonly groupBy: string | undefined;
  readonly out: string | undefined;
  /** What is noted in files that have a place for it. */
  readonly metadata: Readonly<Record<string, string>> | undefined;
  /** Sees what each batch of pairs comes to. */
  readonly watch: ((result: PairLossResult, batch: Batch) => void) | undefined;
  readonly notes: readonly string[];
}

export async function lossOfPairs(job: LossJob): Promise<Report> {
  const { source, plan, options, isAll, paths, backend, batchSize, finite, map, groupBy, out } = job;
  const start = performance.now();
  const needs = { ...needsOf(plan), policyChosen: "every loss" };
  const pairs = readPairs(source, { needs, batchSize, finite, map, groupBy, keepFields: out !== undefined });
  const parts = plan.terms.length > 1 || isAll ? plan.terms.map((term) => alone(term, options)) : [];
  const calls = isAll ? parts : [options, ...parts];
  const margins = gatherMargins();
  // Ranks and likelihoods are the batch's; a sum with one of them is not a pair's own either.
  const isOwn = plan.terms.every(({ loss }) => loss.batch === undefined);
  const groups = groupBy === undefined ? undefined : gatherGroups(groupBy, isOwn);
  const output = out === undefined ? undefined : await openOutput(out, paths, job.metadata);
  const compute = async () => {
    const losses = await lossesOfBatches(backend, source, pairs.batches, calls, async (result, batch) => {
      margins.add(result);
      job.watch?.(result, batch);
      groups?.add(result, batch.groups);
      await output?.add(batch.fields, (i) => columnsOf(result, i));
    });
    if (losses.pairs === 0) throw refusal(`${source.name}: no pairs`);
    if (output && isHollow("rewards/margins", pairs))
      throw refusal("--out: not all pairs have what rewards are made of");
    return losses;
  };
  const { result, written } = await withProgress(source, () => writing(output, compute));
  const seconds = (performance.now() - start) / 1000;
  const { name, reason } = backend;
  const [first, ...others] = result.means as [LossMean, ...LossMean[]];
  const ofParts = isAll ? result.means : others;
  const hasMargins = !isHollow("rewards/margins", pairs);
  const spread = hasMargins ? margins.spread() : undefined;
  if (groups && !hasMargins) throw refusal("--group-by: not all pairs have the log-probabilities of its means");
  const nan = result.means.map((mean) => mean.nan).find(({ pairs }) => pairs > 0);
  return {
    file: source.name,
    ...(paths.length > 1 && { files: paths }),
    options: { ...options, beta: plan.beta },
    losses: plan.terms.map(({ loss, weight }) => ({ id: loss.id, ...(!isAll && { weight }) })),
    ...(ofParts.length > 0 && {
      each: ofParts.map(({ loss, gradNorm }, i) => ({ id: plan.terms[i]?.loss.id ?? "", loss, gradNorm })),
    }),
    pairs: result.pairs,
    batches: result.batches,
    ...(!isAll && { loss: first.loss, gradNorm: first.gradNorm }),
    metrics: Object.fromEntries(Object.entries(first.metrics).filter(([name]) => !isHollow(name, pairs))),
    ...(spread && { margins: spread }),
    ...(groups && { groups: groups.groups() }),
    ...(nan && { nan: { pairs: nan.pairs, first: source.place(nan.first) } }),
    seconds,
    pairsPerSecond: result.pairs / seconds,
    backend: { name, reason },
    notes: [
      ...job.notes,
      ...batchNote(plan, "pair", result.batches, batchSize),
      ...absenceNotes(source, pairs),
      ...written,
      ...(nan ? [`NaN: the loss of ${nan.pairs} of ${result.pairs} pairs, first ${source.place(nan.first)}`] : []),
    ],
  };
}

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

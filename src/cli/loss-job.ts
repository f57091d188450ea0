// What the losses of a file of pairs and of one of rows have in common: what is asked for, the calls it comes to, the report.

import type { Unit } from "../losses/kinds.ts";
import type { Plan } from "../plan/plan.ts";
import type { Backend, LossOptions, PairLossResult } from "../types.ts";
import type { ColumnMap } from "./field-names.ts";
import type { FileLosses, LossMean } from "./mean-loss.ts";
import type { Notes } from "./out.ts";
import { alone, batchNote } from "./plans.ts";
import type { Batch } from "./read-pairs.ts";
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

/** What is known of the output before there is any of it. */
export const notesFor = ({ metadata, source }: LossJob): Notes => ({ metadata, shapes: source.shapes });

/** The losses to compute: their sum, unless every loss is asked for, and each alone where there are several. */
export function callsOf({ plan, options, isAll }: LossJob): LossOptions[] {
  const parts = plan.terms.length > 1 || isAll ? plan.terms.map((term) => alone(term, options)) : [];
  return isAll ? parts : [options, ...parts];
}

/** The report, from what the calls of `callsOf` came to; `own` is what pairs alone have. */
export function reportOf(
  { source, plan, options, isAll, paths, backend, batchSize, notes }: LossJob,
  unit: Unit,
  { count, batches, means }: FileLosses,
  milliseconds: number,
  written: readonly string[],
  own: Pick<Report, "margins" | "groups"> & { metrics?: Report["metrics"]; notes?: readonly string[] } = {},
): Report {
  const [first, ...others] = means as [LossMean, ...LossMean[]];
  const ofParts = isAll ? means : others;
  const nan = means.map((mean) => mean.nan).find((each) => each.count > 0);
  const seconds = milliseconds / 1000;
  const { margins, groups, metrics = first.metrics, notes: more = [] } = own;
  const { name, reason } = backend;
  return {
    file: source.name,
    ...(paths.length > 1 && { files: paths }),
    options: { ...options, beta: plan.beta },
    losses: plan.terms.map(({ loss, weight }) => ({ id: loss.id, ...(!isAll && { weight }) })),
    ...(ofParts.length > 0 && {
      each: ofParts.map(({ loss, gradNorm }, i) => ({ id: plan.terms[i]?.loss.id ?? "", loss, gradNorm })),
    }),
    [`${unit}s`]: count,
    batches,
    ...(!isAll && { loss: first.loss, gradNorm: first.gradNorm }),
    metrics,
    ...(margins && { margins }),
    ...(groups && { groups }),
    ...(nan && { nan: { [`${unit}s`]: nan.count, first: source.place(nan.first) } }),
    seconds,
    [`${unit}sPerSecond`]: count / seconds,
    backend: { name, reason },
    notes: [
      ...notes,
      ...batchNote(plan, unit, batches, batchSize),
      ...more,
      ...written,
      ...(nan ? [`NaN: the loss of ${nan.count} of ${count} ${unit}s, first ${source.place(nan.first)}`] : []),
    ],
  };
}

// sequenceLogps, logitsLoss and linearLoss with `readback: false`: inputs, gradients and everything between stay on the GPU.

import { checkLinear } from "../linear.ts";
import { checkLogits, checkLogitsLoss } from "../logits.ts";
import { type Plan, planLosses } from "../plan.ts";
import type { LinearLossOptions, LogitsLossOptions, SequenceLogpsOptions } from "../types.ts";
import type { Gpu } from "./commands.ts";
import { gradientNames, placeGradients, rangeOfGradient } from "./gradients.ts";
import { openHead, openLogits } from "./loss-jobs.ts";
import { place } from "./place.ts";
import { createOutputs, orDestroyed, reportLater } from "./resident.ts";
import { checkResident } from "./resident-pairs.ts";
import { residentLogps, residentLoss } from "./resident-tokens.ts";
import { rowsSource } from "./rows.ts";
import { type Fields, fetchSmall, type StoodIn, standIn } from "./stand-in.ts";
import type {
  GpuHeadBatch,
  GpuLinearLossResult,
  GpuLogitsBatch,
  GpuLogitsLossResult,
  GpuRange,
  GpuReference,
  GpuSequenceLogpsResult,
} from "./types.ts";

/** Refuses a plan that has no shader. */
type Check = (plan: Plan) => void;

// What was placed is free once it is submitted, and if it was not.
function released<T>(release: () => void, submit: () => T): T {
  try {
    return submit();
  } finally {
    release();
  }
}

export async function residentLogpsOf(
  gpu: Gpu,
  given: GpuLogitsBatch,
  options: SequenceLogpsOptions,
): Promise<GpuSequenceLogpsResult> {
  const plan = planLosses({ referenceFree: true });
  checkResident(plan, options, []);
  const { batch, ids } = standIn(await fetchSmall(gpu, given, false), options as Fields) as StoodIn<never>;
  const { list, vocab, logits, ldAlpha } = checkLogits(batch, options);
  const placed = place(gpu, logits, vocab);
  const policy = rowsSource(gpu, { ...list, vocab, logits: placed });
  const statistics = options.metrics === "full";
  const outputs = createOutputs(gpu);
  const job = { list, vocab, ldAlpha, statistics, ids, policy };
  return orDestroyed(outputs, async () => {
    const result = released(placed.release, () => residentLogps(gpu, job, plan, outputs));
    reportLater(options, list.rows.length, result.done);
    return result;
  });
}

export async function residentLogitsLoss(
  gpu: Gpu,
  given: GpuLogitsBatch & { reference?: GpuReference | undefined },
  options: LogitsLossOptions,
  check: Check,
): Promise<GpuLogitsLossResult> {
  const plan = planLosses(options);
  check(plan);
  const outputs = createOutputs(gpu);
  return orDestroyed(outputs, async () => {
    const fetched = await fetchSmall(gpu, given, false);
    const stood = standIn<never>(fetched, options as Fields);
    const { options: own, make } = placeGradients<LogitsLossOptions>(
      "logitsLoss",
      fetched,
      options as Fields,
      stood,
      outputs,
    );
    checkResident(plan, own, gradientNames.logitsLoss);
    const checked = checkLogitsLoss(stood.batch, plan, own);
    make();
    const { job, release } = openLogits({ gpu, plan, options: own, there: stood }, checked);
    const loss = released(release, () => residentLoss(gpu, job, outputs));
    reportLater(own, checked.list.rows.length, loss.done);
    return { ...loss, gradLogits: rangeOfGradient(checked.gradient) };
  });
}

export async function residentLinearLoss(
  gpu: Gpu,
  given: GpuHeadBatch,
  options: LinearLossOptions,
  check: Check,
): Promise<GpuLinearLossResult> {
  const plan = planLosses(options);
  check(plan);
  const outputs = createOutputs(gpu);
  return orDestroyed(outputs, async () => {
    const fetched = await fetchSmall(gpu, given, false);
    const stood = standIn<never>(fetched, options as Fields);
    const { options: own, make } = placeGradients<LinearLossOptions>(
      "linearLoss",
      fetched,
      options as Fields,
      stood,
      outputs,
    );
    checkResident(plan, own, gradientNames.linearLoss);
    const checked = checkLinear(stood.batch, plan, own);
    make();
    const { job, release } = openHead({ gpu, plan, options: own, there: stood }, checked);
    const loss = released(release, () => residentLoss(gpu, job, outputs));
    reportLater(own, checked.list.rows.length, loss.done);
    const ranges = Object.entries(checked.gradients).map(([name, gradient]) => [name, rangeOfGradient(gradient)]);
    return { ...loss, ...(Object.fromEntries(ranges) as { gradHidden: GpuRange }) };
  });
}

// sequenceLogps, logitsLoss and linearLoss with `readback: false`: inputs, gradients and everything between stay on the GPU.

import { checkLinear } from "../linear.ts";
import { checkLogits, checkLogitsLoss } from "../logits.ts";
import { type Plan, planLosses } from "../plan.ts";
import type { LinearLossOptions, LogitsLossOptions, SequenceLogpsOptions } from "../types.ts";
import type { Gpu } from "./commands.ts";
import { gradientNames, placeGradients, rangeOfGradient } from "./gradients.ts";
import { openHead, openLogits } from "./loss-jobs.ts";
import { place } from "./place.ts";
import { createOutputs, type Outputs } from "./resident.ts";
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

// What was made for a call that is refused goes with it.
async function orDestroyed<T>(outputs: Outputs, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    outputs.destroy();
    throw error;
  }
}

export async function residentLogpsOf(
  gpu: Gpu,
  given: GpuLogitsBatch,
  options: SequenceLogpsOptions,
): Promise<GpuSequenceLogpsResult> {
  const { batch, ids } = standIn(await fetchSmall(gpu, given, false), options as Fields) as StoodIn<never>;
  const { list, vocab, logits, ldAlpha } = checkLogits(batch, options);
  const placed = place(gpu, logits, vocab);
  const policy = rowsSource(gpu, { ...list, vocab, logits: placed });
  const statistics = options.metrics === "full";
  const plan = planLosses({ referenceFree: true });
  const result = residentLogps(gpu, { list, vocab, ldAlpha, statistics, ids, policy }, plan, createOutputs(gpu));
  placed.release();
  return result;
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
    const { options: own, make } = placeGradients<LogitsLossOptions>(fetched, options as Fields, stood, outputs);
    checkResident(plan, own, gradientNames);
    const checked = checkLogitsLoss(stood.batch, plan, own);
    make();
    const { job, release } = openLogits({ gpu, plan, options: own, there: stood }, checked);
    const loss = residentLoss(gpu, job, outputs);
    release();
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
    const { options: own, make } = placeGradients<LinearLossOptions>(fetched, options as Fields, stood, outputs);
    checkResident(plan, own, gradientNames);
    const checked = checkLinear(stood.batch, plan, own);
    make();
    const { job, release } = openHead({ gpu, plan, options: own, there: stood }, checked);
    const loss = residentLoss(gpu, job, outputs);
    release();
    const ranges = Object.entries(checked.gradients).map(([name, gradient]) => [name, rangeOfGradient(gradient)]);
    return { ...loss, ...(Object.fromEntries(ranges) as { gradHidden: GpuRange }) };
  });
}

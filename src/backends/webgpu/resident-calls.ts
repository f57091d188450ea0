// sequenceLogps, logitsLoss and linearLoss with `readback: false`: inputs, gradients and everything between stay on the GPU.

import { checkLogits } from "../../inputs/logits.ts";
import { type Plan, planLosses } from "../../plan/plan.ts";
import type { SequenceLogpsOptions } from "../../types.ts";
import { type Fields, fetchSmall, type StoodIn, standIn } from "./device-inputs.ts";
import { toDeviceRows } from "./device-rows.ts";
import { gradientNames, placeGradients, rangeOfGradient } from "./gradients.ts";
import { type LossCall, type LossName, openers } from "./loss-jobs.ts";
import { createOutputs, orDestroyed, reportLater } from "./resident.ts";
import { checkResident } from "./resident-pairs.ts";
import { residentLogps, residentLoss } from "./resident-tokens.ts";
import { rowsSource } from "./rows.ts";
import type { Gpu } from "./submit.ts";
import type { GpuLogitsBatch, GpuSequenceLogpsResult } from "./types.ts";

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
  const { list, vocab, logits, transform, ldAlpha } = checkLogits(batch, options);
  const placed = toDeviceRows(gpu, logits, vocab);
  const policy = rowsSource(gpu, { ...list, vocab, transform, logits: placed });
  const statistics = options.metrics === "full";
  const outputs = createOutputs(gpu);
  const job = { list, vocab, ldAlpha, statistics, ids, policy };
  return orDestroyed(outputs, async () => {
    const result = released(placed.release, () => residentLogps(gpu, job, plan, outputs));
    reportLater(options, list.rows.length, result.done);
    return result;
  });
}

/** A loss of logits or hidden states; its result names the gradients that the call has. */
export function residentTokenLoss<R>(
  gpu: Gpu,
  name: LossName,
  given: object,
  options: LossCall["options"],
  check: Check,
): Promise<R> {
  const plan = planLosses(options);
  check(plan);
  const outputs = createOutputs(gpu);
  return orDestroyed(outputs, async () => {
    const fetched = await fetchSmall(gpu, given, false);
    const there = standIn<never>(fetched, options as Fields);
    const places = placeGradients<LossCall["options"]>(name, fetched, options as Fields, there, outputs);
    checkResident(plan, places.options, gradientNames[name]);
    const { job, gradients, release } = openers[name]({ gpu, plan, there, ...places }, there.batch);
    const loss = released(release, () => residentLoss(gpu, job, outputs));
    reportLater(options, job.list.rows.length, loss.done);
    const ranges = Object.entries(gradients).map(([name, gradient]) => [name, rangeOfGradient(gradient)]);
    return { ...loss, ...Object.fromEntries(ranges) } as R;
  });
}

// sequenceLogps, logitsLoss and linearLoss with `readback: false`: inputs, gradients and everything between stay on the GPU.

import type { FloatData } from "../floats.ts";
import { checkLinear } from "../linear.ts";
import { checkLogits, checkLogitsLoss } from "../logits.ts";
import { type Plan, planLosses } from "../plan.ts";
import type { ReferenceData } from "../reference.ts";
import type { TokenList } from "../tokens.ts";
import type { LinearLossOptions, LogitsLossOptions, SequenceLogpsOptions } from "../types.ts";
import type { Gpu } from "./commands.ts";
import { placeGradients, rangeOfGradient } from "./gradients.ts";
import { checkHead, headSource } from "./head.ts";
import { type Placed, place } from "./place.ts";
import { createOutputs, type Outputs } from "./resident.ts";
import { checkResident } from "./resident-pairs.ts";
import { type ResidentLossJob, residentLogps, residentLoss } from "./resident-tokens.ts";
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

/** Logits placed for one call, and how to give back what that took. */
function createPlaces(gpu: Gpu) {
  const placed: Placed[] = [];
  return {
    put(floats: FloatData, vocab: number): Placed {
      const made = place(gpu, floats, vocab);
      placed.push(made);
      return made;
    },
    release(): void {
      for (const { release } of placed) release();
    },
  };
}

type Places = ReturnType<typeof createPlaces>;

export async function residentLogpsOf(
  gpu: Gpu,
  given: GpuLogitsBatch,
  options: SequenceLogpsOptions,
): Promise<GpuSequenceLogpsResult> {
  const { batch, ids } = standIn(await fetchSmall(gpu, given, false), options as Fields) as StoodIn<never>;
  const { list, vocab, logits, ldAlpha } = checkLogits(batch, options);
  const places = createPlaces(gpu);
  const policy = rowsSource(gpu, { ...list, vocab, logits: places.put(logits, vocab) });
  const statistics = options.metrics === "full";
  const plan = planLosses({ referenceFree: true });
  const result = residentLogps(gpu, { list, vocab, ldAlpha, statistics, ids, policy }, plan, createOutputs(gpu));
  places.release();
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
    const { options: own } = placeGradients<LogitsLossOptions>(fetched, options as Fields, stood, outputs);
    checkResident(plan, own, ["gradLogits"]);
    const job = checkLogitsLoss(stood.batch, plan, own);
    const { list, vocab, gradient } = job;
    const places = createPlaces(gpu);
    const [logits, to] = [places.put(job.logits, vocab), places.put(gradient, vocab)];
    const policy = rowsSource(gpu, { ...list, vocab, logits, gradient: to });
    const loss = residentLoss(gpu, { ...lossJob(gpu, plan, own, job, stood, places), policy }, outputs);
    places.release();
    return { ...loss, gradLogits: rangeOfGradient(gradient) };
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
    const { options: own, kept } = placeGradients<LinearLossOptions>(fetched, options as Fields, stood, outputs);
    checkResident(plan, own, Object.keys(kept));
    const job = checkLinear(stood.batch, plan, own);
    const { head, list, vocab, gradients, accumulate } = job;
    checkHead(gpu, { head, list, vocab });
    const { gradHidden, gradWeight: weight, gradBias: bias, gradA: a, gradB: b } = gradients;
    const out = { hidden: gradHidden as FloatData, weight, bias, a, b, accumulate };
    const policy = headSource(gpu, { head, list, vocab }, out);
    const places = createPlaces(gpu);
    const loss = residentLoss(gpu, { ...lossJob(gpu, plan, own, job, stood, places), policy }, outputs);
    places.release();
    const ranges = Object.entries(gradients).map(([name, gradient]) => [name, rangeOfGradient(gradient)]);
    return { ...loss, ...(Object.fromEntries(ranges) as { gradHidden: GpuRange }) };
  });
}

interface CheckedJob {
  readonly list: TokenList;
  readonly vocab: number;
  readonly ldAlpha: number;
  readonly wpo: boolean;
  readonly reference: ReferenceData | undefined;
}

function lossJob(
  gpu: Gpu,
  plan: Plan,
  { gradScale = 1, metrics }: LogitsLossOptions | LinearLossOptions,
  { list, vocab, ldAlpha, wpo, reference }: CheckedJob,
  { ids, logps }: StoodIn<unknown>,
  places: Places,
): Omit<ResidentLossJob, "policy"> {
  const source = (): ResidentLossJob["reference"] => {
    if (logps) return { there: logps };
    if (!reference || "logps" in reference) return reference;
    if ("logits" in reference) return rowsSource(gpu, { ...list, vocab, logits: places.put(reference.logits, vocab) });
    checkHead(gpu, { ...reference, list, vocab });
    return headSource(gpu, { ...reference, list, vocab });
  };
  const statistics = wpo || metrics === "full";
  return { plan, list, vocab, ldAlpha, wpo, gradScale, statistics, ids, reference: source() };
}

// Checked calls as losses on the GPU: their sources of tokens, on logits that are placed for the call.

import type { FloatData } from "../../inputs/floats.ts";
import { checkLinear, type LinearJob } from "../../inputs/linear.ts";
import { checkLogitsLoss, type LogitsLossJob } from "../../inputs/logits.ts";
import type { Outs } from "../../inputs/token-results.ts";
import type { Plan } from "../../plan/plan.ts";
import type { Floats, LinearBatch, LinearLossOptions, LogitsBatch, LogitsLossOptions } from "../../types.ts";
import type { StoodIn } from "./device-inputs.ts";
import { type DeviceRows, toDeviceRows, toGradientRows } from "./device-rows.ts";
import { checkHead, headSource } from "./head.ts";
import type { ResidentLossJob } from "./resident-tokens.ts";
import { rowsSource } from "./rows.ts";
import type { Gpu } from "./submit.ts";
import type { TokenSource } from "./token-source.ts";

/** The calls with tokens and a loss; their options differ in what their gradients are. */
export type LossName = "logitsLoss" | "linearLoss";

/** What a call is made of beside its batch. */
export interface LossCall {
  readonly gpu: Gpu;
  readonly plan: Plan;
  readonly options: LogitsLossOptions & LinearLossOptions;
  /** What of the batch lies on the GPU. */
  readonly there: Partial<Pick<StoodIn<unknown>, "ids" | "logps">>;
  /** Makes what the call needs, once it is known to be sound. */
  make?(): void;
}

/** A loss as it can be recorded; `release` gives back what was placed for it, once it is submitted. */
export interface OpenLoss {
  readonly job: ResidentLossJob;
  /** Gradients by name: where they go, and as a result names them. */
  readonly gradients: Readonly<Record<string, FloatData>>;
  readonly results: Readonly<Record<string, Floats>>;
  readonly outs: Outs;
  release(): void;
}

/** Logits placed for one call. */
function createPlaces(gpu: Gpu) {
  const placed: DeviceRows[] = [];
  const keep = (made: DeviceRows): DeviceRows => {
    placed.push(made);
    return made;
  };
  return {
    keep,
    put: (floats: FloatData, vocab: number): DeviceRows => keep(toDeviceRows(gpu, floats, vocab)),
    release(): void {
      for (const { release } of placed) release();
    },
  };
}

type Places = ReturnType<typeof createPlaces>;

function openLoss(
  { gpu, plan, options, there }: LossCall,
  { list, vocab, ldAlpha, wpo, reference }: LogitsLossJob | LinearJob,
  policy: TokenSource,
  places: Places,
): Pick<OpenLoss, "job" | "release"> {
  const source = (): ResidentLossJob["reference"] => {
    if (there.logps) return { there: there.logps };
    if (!reference || "logps" in reference) return reference;
    if ("logits" in reference) {
      const { logits, transform } = reference;
      return rowsSource(gpu, { ...list, vocab, transform, logits: places.put(logits, vocab) });
    }
    checkHead(gpu, { ...reference, list, vocab });
    return headSource(gpu, { ...reference, list, vocab });
  };
  const { gradScale = 1, metrics } = options;
  const statistics = wpo || metrics === "full";
  const { ids } = there;
  const job = { plan, list, vocab, ldAlpha, wpo, gradScale, statistics, ids, policy, reference: source() };
  return { job, release: places.release };
}

function orReleased<T>(places: Places, open: () => T): T {
  try {
    return open();
  } catch (error) {
    places.release();
    throw error;
  }
}

function openLogits(call: LossCall, batch: LogitsBatch): OpenLoss {
  const { gpu, plan, options } = call;
  const checked = checkLogitsLoss(batch, plan, options);
  const { list, vocab, logits, transform, gradient, gradLogits } = checked;
  call.make?.();
  const places = createPlaces(gpu);
  const opened = orReleased(places, () => {
    const from = places.put(logits, vocab);
    const to = toGradientRows(gpu, logits, from, gradient, vocab);
    places.keep(to.gradient);
    return openLoss(call, checked, rowsSource(gpu, { ...list, vocab, transform, logits: from, ...to }), places);
  });
  return { ...opened, gradients: { gradLogits: gradient }, results: { gradLogits }, outs: checked };
}

function openHead(call: LossCall, batch: LinearBatch): OpenLoss {
  const { gpu, plan, options } = call;
  const checked = checkLinear(batch, plan, options);
  const { head, list, vocab, gradients, results, accumulate } = checked;
  checkHead(gpu, { head, list, vocab });
  call.make?.();
  const { gradHidden, gradWeight: weight, gradBias: bias, gradA: a, gradB: b } = gradients;
  const out = { hidden: gradHidden as FloatData, weight, bias, a, b, accumulate };
  const places = createPlaces(gpu);
  const opened = orReleased(places, () => openLoss(call, checked, headSource(gpu, { head, list, vocab }, out), places));
  return { ...opened, gradients, results: results as Record<string, Floats>, outs: checked };
}

/** Checks a call and opens it. Throws what every backend's checks do, and BackendError for want of room. */
export const openers = { logitsLoss: openLogits, linearLoss: openHead } as Readonly<
  Record<LossName, (call: LossCall, batch: never) => OpenLoss>
>;

// Checked calls as losses on the GPU: their sources of tokens, on logits that are placed for the call.

import type { FloatData } from "../floats.ts";
import type { LinearJob } from "../linear.ts";
import type { LogitsLossJob } from "../logits.ts";
import type { Plan } from "../plan.ts";
import type { LogitsLossOptions } from "../types.ts";
import type { Gpu } from "./commands.ts";
import { checkHead, headSource } from "./head.ts";
import { type Placed, place, placeGradient } from "./place.ts";
import type { ResidentLossJob } from "./resident-tokens.ts";
import { rowsSource } from "./rows.ts";
import type { TokenSource } from "./source.ts";
import type { StoodIn } from "./stand-in.ts";

/** What a call is made of beside its checked batch. */
export interface LossCall {
  readonly gpu: Gpu;
  readonly plan: Plan;
  readonly options: Pick<LogitsLossOptions, "gradScale" | "metrics">;
  /** What of the batch lies on the GPU. */
  readonly there: Partial<Pick<StoodIn<unknown>, "ids" | "logps">>;
}

/** A loss as it can be recorded; `release` gives back what was placed for it, once it is submitted. */
export interface OpenLoss {
  readonly job: ResidentLossJob;
  release(): void;
}

/** Logits placed for one call. */
function createPlaces(gpu: Gpu) {
  const placed: Placed[] = [];
  const keep = (made: Placed): Placed => {
    placed.push(made);
    return made;
  };
  return {
    keep,
    put: (floats: FloatData, vocab: number): Placed => keep(place(gpu, floats, vocab)),
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
): OpenLoss {
  const source = (): ResidentLossJob["reference"] => {
    if (there.logps) return { there: there.logps };
    if (!reference || "logps" in reference) return reference;
    if ("logits" in reference) return rowsSource(gpu, { ...list, vocab, logits: places.put(reference.logits, vocab) });
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

export function openLogits(call: LossCall, checked: LogitsLossJob): OpenLoss {
  const { gpu } = call;
  const { list, vocab, logits, gradient } = checked;
  const places = createPlaces(gpu);
  return orReleased(places, () => {
    const from = places.put(logits, vocab);
    const to = placeGradient(gpu, logits, from, gradient, vocab);
    places.keep(to.gradient);
    return openLoss(call, checked, rowsSource(gpu, { ...list, vocab, logits: from, ...to }), places);
  });
}

export function openHead(call: LossCall, checked: LinearJob): OpenLoss {
  const { gpu } = call;
  const { head, list, vocab, gradients, accumulate } = checked;
  checkHead(gpu, { head, list, vocab });
  const { gradHidden, gradWeight: weight, gradBias: bias, gradA: a, gradB: b } = gradients;
  const out = { hidden: gradHidden as FloatData, weight, bias, a, b, accumulate };
  const places = createPlaces(gpu);
  return orReleased(places, () => openLoss(call, checked, headSource(gpu, { head, list, vocab }, out), places));
}

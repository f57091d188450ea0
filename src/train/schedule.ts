// Learning rates, as transformers' get_scheduler gives them.

import { ParamError } from "../errors.ts";
import type { TrlTrain } from "../from-trl/train.ts";
import { shown } from "../kinds.ts";
import { between } from "../losses/define.ts";
import { notNegative, readNumber } from "./hyper.ts";

/** What a schedule is made of: the names of `fromTrl().train`. */
export type ScheduleOptions = Pick<
  TrlTrain,
  "learningRate" | "lrSchedulerType" | "lrSchedulerKwargs" | "warmupSteps" | "warmupRatio"
>;

// The factor of the learning rate after warmup, which all have but the constant one; `progress` goes from 0 to 1.
const factors: Readonly<Record<string, (progress: number) => number>> = {
  linear: (progress) => 1 - progress,
  cosine: (progress) => 0.5 * (1 + Math.cos(Math.PI * progress)),
  constant_with_warmup: () => 1,
  constant: () => 1,
};

/**
 * The learning rate of each step of a training of so many steps, counted from 0: rising from 0 for as long as the warmup
 * lasts, then as `lrSchedulerType` says: `linear` (the default), `cosine`, `constant_with_warmup`, or `constant`, which has
 * no warmup. The default rate is TRL's 1e-6. A `warmupSteps` below 1 is a share of the steps, as `warmupRatio` is.
 *
 * Throws    ParamError for another type, numbers out of range, and `lrSchedulerKwargs`, of which none is known
 * @example  const rate = lrSchedule(100, { learningRate: 1e-3, lrSchedulerType: "cosine", warmupSteps: 10 });
 *           console.log(rate(0), rate(10), rate(55)); // 0, 1e-3, 5e-4
 */
export function lrSchedule(steps: number, options: ScheduleOptions = {}): (step: number) => number {
  const { lrSchedulerType: type = "linear", lrSchedulerKwargs = {} } = options;
  const factor = Object.hasOwn(factors, type) ? factors[type] : undefined;
  if (!factor) {
    const known = Object.keys(factors).join(", ");
    throw new ParamError("out-of-range", `lrSchedulerType: expected one of ${known}, got ${shown(type)}`);
  }
  const [unknown] = Object.keys(lrSchedulerKwargs);
  if (unknown !== undefined) throw new ParamError("unused-option", `lrSchedulerKwargs.${unknown}: not used by ${type}`);
  const total = readNumber(steps, "steps", notNegative(0));
  const peak = readNumber(options.learningRate, "learningRate", notNegative(1e-6));
  const warmup = type === "constant" ? 0 : warmupOf(total, options);
  return (step) => {
    if (step < warmup) return (peak * step) / warmup;
    return peak * factor(Math.min((step - warmup) / Math.max(1, total - warmup), 1));
  };
}

function warmupOf(total: number, { warmupSteps, warmupRatio }: ScheduleOptions): number {
  const steps = readNumber(warmupSteps, "warmupSteps", notNegative(0));
  if (steps >= 1) return Math.floor(steps);
  const ratio = readNumber(warmupRatio, "warmupRatio", between(0, 1, 0));
  return Math.ceil(total * (steps > 0 ? steps : ratio));
}

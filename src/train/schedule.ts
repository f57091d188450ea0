// Learning rates, as transformers' get_scheduler gives them.

import { didYouMean } from "../checks/hints.ts";
import { printable, quoted } from "../checks/printable.ts";
import { copyRecord, recordOf } from "../checks/record.ts";
import { outOfRange, unusedOption } from "../checks/refusals.ts";
import { KindError, ParamError } from "../errors.ts";
import { memberOf } from "../from-trl/enums.ts";
import { readTrain, type TrlTrain } from "../from-trl/train.ts";
import { between, readNumber } from "../losses/ranges.ts";
import { shown } from "../messages.ts";
import { notNegative } from "./hyper.ts";
import { type Kwargs, type Schedule, schedules } from "./schedules.ts";

/** What a schedule is made of: the names of `fromTrl().train`. */
export type ScheduleOptions = Pick<
  TrlTrain,
  "learningRate" | "lrSchedulerType" | "lrSchedulerKwargs" | "warmupSteps" | "warmupRatio"
>;

const known = Object.keys(schedules);

const readFields = recordOf<ScheduleOptions>({ what: "options", field: "an option of lrSchedule" }, [
  "learningRate",
  "lrSchedulerType",
  "lrSchedulerKwargs",
  "warmupSteps",
  "warmupRatio",
]);

// All that fromTrl reads of a training may be handed on.
const trainNames = Object.keys(readTrain(() => undefined));

/**
 * The learning rate of each step of a training of so many steps, counted from 0: rising from 0 for as long as the warmup
 * lasts, then as `lrSchedulerType` says: `linear` (the default), `cosine`, `cosine_with_restarts`, `polynomial`, `inverse_sqrt`,
 * `cosine_with_min_lr`, `cosine_warmup_with_min_lr`, `warmup_stable_decay`, `constant_with_warmup`, or `constant`, which has no
 * warmup; names of transformers' enumeration (`SchedulerType.COSINE`) serve too. The default rate is TRL's 1e-6. A `warmupSteps`
 * below 1 is a share of the steps, as `warmupRatio` is. `lrSchedulerKwargs` holds what transformers' function of the name takes.
 *
 * Throws    ParamError for another type, numbers out of range, other `lrSchedulerKwargs`, and (the function returned) for a
 *           step below 0; KindError
 * @example  import { lrSchedule } from "dpo-kernels/train";
 *           const rate = lrSchedule(100, { learningRate: 1e-3, lrSchedulerType: "cosine", warmupSteps: 10 });
 *           console.log(rate(0), rate(10), rate(55)); // 0, 0.001, 0.0005
 */
export function lrSchedule(steps: number, given: ScheduleOptions = {}): (step: number) => number {
  const options = readFields(given, () => trainNames);
  const { lrSchedulerType = "linear", lrSchedulerKwargs } = options;
  const type = typeof lrSchedulerType === "string" ? memberOf("SchedulerType", lrSchedulerType) : lrSchedulerType;
  const schedule = typeof type === "string" && Object.hasOwn(schedules, type) ? schedules[type] : undefined;
  if (!schedule) {
    const hint = typeof type === "string" ? didYouMean(type, known, { show: quoted }) : "";
    throw outOfRange("lrSchedulerType", `one of ${known.join(", ")}`, `${shown(lrSchedulerType)}${hint}`);
  }
  const total = readNumber(steps, "steps", notNegative(0));
  const peak = readNumber(options.learningRate, "learningRate", notNegative(1e-6));
  const kwargs = readKwargs(lrSchedulerKwargs ?? {}, type as string, schedule);
  if (type === "polynomial") refuseAbovePeak(kwargs, peak);
  const warmup = type === "constant" ? 0 : warmupOf(total, options);
  return (given) => {
    if (given === undefined) throw new KindError("step: expected a number, got undefined");
    const step = readNumber(given, "step", notNegative(0));
    const progress = Math.min((step - warmup) / Math.max(1, total - warmup), 1);
    const at = { step, warmup, total, peak, progress };
    if (step >= warmup) return peak * schedule.factor(at, kwargs as never);
    return schedule.rise ? peak * schedule.rise(at, kwargs as never) : (peak * step) / warmup;
  };
}

function readKwargs(given: object, type: string, { kwargs, oneOf = [] }: Schedule): Kwargs {
  const values = Object.entries(copyRecord(given, "lrSchedulerKwargs")).filter(
    ([, value]) => value !== undefined && value !== null,
  );
  const read = values.map(([name, value]) => {
    const kwarg = Object.hasOwn(kwargs, name) ? kwargs[name] : undefined;
    const where = `lrSchedulerKwargs.${printable(name)}`;
    if (!kwarg) throw unusedOption(where, `not used by ${type}`);
    return [name, "default" in kwarg ? readNumber(value, where, kwarg) : readWord(value, where, kwarg)] as const;
  });
  const of = oneOf.filter((name) => read.some(([own]) => own === name));
  if (oneOf.length > 0 && of.length !== 1) {
    const expected = `expected ${oneOf.join(" or ")} with ${type}`;
    throw new ParamError("missing-input", `lrSchedulerKwargs: ${expected}, got ${of.join(" and ") || "nothing"}`);
  }
  return Object.fromEntries(read);
}

function readWord(value: unknown, where: string, words: readonly string[]): string {
  if (typeof value !== "string") throw new KindError(`${where}: expected a string, got ${shown(value)}`);
  if (words.includes(value)) return value;
  throw outOfRange(where, `one of ${words.join(", ")}`, shown(value));
}

function refuseAbovePeak({ lr_end = 1e-7 }: Kwargs, peak: number): void {
  if ((lr_end as number) < peak) return;
  throw outOfRange("lrSchedulerKwargs.lr_end", `below the rate of ${peak}`, lr_end);
}

function warmupOf(total: number, { warmupSteps, warmupRatio }: ScheduleOptions): number {
  const steps = readNumber(warmupSteps, "warmupSteps", notNegative(0));
  if (steps >= 1) return Math.floor(steps);
  const ratio = readNumber(warmupRatio, "warmupRatio", between(0, 1, 0));
  return Math.ceil(total * (steps > 0 ? steps : ratio));
}

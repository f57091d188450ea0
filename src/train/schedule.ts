// Learning rates, as transformers' get_scheduler gives them.

import { didYouMean } from "../checks/hints.ts";
import { printable, quoted } from "../checks/printable.ts";
import { copyRecord, recordOf } from "../checks/record.ts";
import { KindError, ParamError } from "../errors.ts";
import { memberOf } from "../from-trl/enums.ts";
import { readTrain, type TrlTrain } from "../from-trl/train.ts";
import { between, finite, type Param } from "../losses/ranges.ts";
import { shown } from "../messages.ts";
import { notNegative, readNumber } from "./hyper.ts";

/** What a schedule is made of: the names of `fromTrl().train`. */
export type ScheduleOptions = Pick<
  TrlTrain,
  "learningRate" | "lrSchedulerType" | "lrSchedulerKwargs" | "warmupSteps" | "warmupRatio"
>;

/** The factor of the learning rate after warmup; `progress` goes from 0 to 1. */
type Factor = (progress: number, kwargs: Readonly<Record<string, number>>) => number;

interface Schedule {
  readonly factor: Factor;
  /** What `lrSchedulerKwargs` may hold, under transformers' names. */
  readonly kwargs: Readonly<Record<string, Param>>;
}

const schedules: Readonly<Record<string, Schedule>> = {
  linear: { factor: (progress) => 1 - progress, kwargs: {} },
  cosine: {
    factor: (progress, { num_cycles: cycles = 0.5 }) =>
      Math.max(0, 0.5 * (1 + Math.cos(Math.PI * cycles * 2 * progress))),
    kwargs: { num_cycles: finite(0.5) },
  },
  constant_with_warmup: { factor: () => 1, kwargs: {} },
  constant: { factor: () => 1, kwargs: {} },
};

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
 * lasts, then as `lrSchedulerType` says: `linear` (the default), `cosine`, `constant_with_warmup`, or `constant`, which has
 * no warmup; names of transformers' enumeration (`SchedulerType.COSINE`) serve too. The default rate is TRL's 1e-6. A
 * `warmupSteps` below 1 is a share of the steps, as `warmupRatio` is. `lrSchedulerKwargs` may hold `num_cycles` of `cosine`.
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
    const expected = `expected one of ${known.join(", ")}`;
    throw new ParamError("out-of-range", `lrSchedulerType: ${expected}, got ${shown(lrSchedulerType)}${hint}`);
  }
  const kwargs = readKwargs(lrSchedulerKwargs ?? {}, type, schedule.kwargs);
  const total = readNumber(steps, "steps", notNegative(0));
  const peak = readNumber(options.learningRate, "learningRate", notNegative(1e-6));
  const warmup = type === "constant" ? 0 : warmupOf(total, options);
  return (given) => {
    if (given === undefined) throw new KindError("step: expected a number, got undefined");
    const step = readNumber(given, "step", notNegative(0));
    if (step < warmup) return (peak * step) / warmup;
    return peak * schedule.factor(Math.min((step - warmup) / Math.max(1, total - warmup), 1), kwargs);
  };
}

function readKwargs(
  given: object,
  type: string,
  params: Readonly<Record<string, Param>>,
): Readonly<Record<string, number>> {
  const values = Object.entries(copyRecord(given, "lrSchedulerKwargs")).filter(
    ([, value]) => value !== undefined && value !== null,
  );
  return Object.fromEntries(
    values.map(([name, value]) => {
      const param = Object.hasOwn(params, name) ? params[name] : undefined;
      const where = `lrSchedulerKwargs.${printable(name)}`;
      if (!param) throw new ParamError("unused-option", `${where}: not used by ${type}`);
      return [name, readNumber(value, where, param)];
    }),
  );
}

function warmupOf(total: number, { warmupSteps, warmupRatio }: ScheduleOptions): number {
  const steps = readNumber(warmupSteps, "warmupSteps", notNegative(0));
  if (steps >= 1) return Math.floor(steps);
  const ratio = readNumber(warmupRatio, "warmupRatio", between(0, 1, 0));
  return Math.ceil(total * (steps > 0 ? steps : ratio));
}

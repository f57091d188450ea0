// What a training takes from a TRL configuration: all that `fromTrl` reads, and the keys of the loop around it.

import { isList, mapList } from "../../checks/lists.ts";
import { KindError, ParamError } from "../../errors.ts";
import { type FromTrlOptions, fromTrl, type TrlConfig, type TrlTrain } from "../../from-trl/from-trl.ts";
import { trainerOf } from "../../from-trl/trainers.ts";
import { type LossType, losses, lossTable } from "../../losses/index.ts";
import type { Loss } from "../../losses/loss.ts";
import { shown } from "../../messages.ts";
import { nextMean, type RunningMean } from "../../plan/running-mean.ts";
import type { LossOptions } from "../../types.ts";
import { warnOfKeys } from "./not-followed.ts";
import type { TrainerOptions } from "./types.ts";

/** How a configuration says that a training goes, defaults filled in: TRL's and transformers'. */
export interface Recipe {
  readonly config: TrlConfig;
  readonly loss: LossOptions;
  readonly collate: ReturnType<typeof fromTrl>["collate"];
  readonly train: TrlTrain & typeof defaults & { learningRate: number };
  /** Whether the examples are rows in place of pairs. */
  readonly ofRows: boolean;
  /** Whether examples whose prompt fills `max_length` are left out: DPO's and KTO's trainers do so since v1.9. */
  readonly drops: boolean;
  /** KTO: each row has a mismatched one beside it. */
  readonly mismatched: boolean;
  /** ORPO: its likelihood reads prompts too. */
  readonly readsPrompts: boolean;
  readonly needsReference: boolean;
  /** BCO's rewards are shifted by it. */
  readonly shift: RestorableMean | undefined;
  readonly precompute: boolean;
  /** TR-DPO: after every so many steps the reference becomes α·policy + (1 − α)·reference. */
  readonly sync: { readonly every: number; readonly alpha: number } | undefined;
  readonly logging: { readonly when: When; readonly every: number; readonly first: boolean };
  /** `delay`: epochs or steps that pass before the first one. */
  readonly evaluation: { readonly when: When | undefined; readonly every: number | undefined; readonly delay: number };
  readonly saving: { readonly when: When | "best"; readonly every: number; readonly limit: number };
  readonly best: BestRule | undefined;
  /** The examples as they stand, where `shuffle` says nothing: a KTOConfig of TRL's has that by itself. */
  readonly inOrder: boolean;
}

export type When = "steps" | "epoch" | "no";

/** Which evaluation is the best, and whether its head is what the training ends with. */
export interface BestRule {
  readonly metric: string;
  readonly greater: boolean;
  readonly load: boolean;
}

const defaults = {
  batchSize: 8,
  evalBatchSize: 8,
  gradientAccumulationSteps: 1,
  numTrainEpochs: 3,
  maxSteps: -1,
  maxGradNorm: 1,
  weightDecay: 0,
  optim: "adamw_torch",
  adamBeta1: 0.9,
  adamBeta2: 0.999,
  adamEpsilon: 1e-8,
  seed: 42,
  dropLast: false,
};

/** A KTOConfig of which nothing differs from its defaults looks like any other: rows with labels tell. */
function trainerFor({ config, examples, trainer }: TrainerOptions): FromTrlOptions["trainer"] {
  if (trainer !== undefined) return trainer;
  const hasLabel = (example: unknown) => typeof example === "object" && example !== null && "label" in example;
  const [isRow = false] = isList(examples) ? mapList(examples, "examples", hasLabel, 1) : [];
  return isRow && config["loss_type"] === undefined ? "kto" : undefined;
}

/** Reads it; `warn` hears of what is not followed, the key first. Throws    as `fromTrl` */
export function readRecipe(options: TrainerOptions, warn: (text: string) => void): Recipe {
  const { config: given, version } = options;
  // The reference is this loop's, so what fromTrl says of it does not hold.
  const { sync_ref_model: syncs, ...rest } = given;
  const { loss, collate, train, warnings } = fromTrl(rest, { version, trainer: trainerFor(options) });
  const needsMean = warnings.some((text) => text.includes("createRunningMean()"));
  for (const text of warnings) if (!/createRunningMean\(\)|for calls that see (tokens|logits)/.test(text)) warn(text);
  warnOfKeys(options, warn);

  const types = [loss.lossType ?? "sigmoid"].flat() as LossType[];
  const ofRows = types.some((type) => lossTable[type].unit === "row");
  const learningRate = types.includes("bco") ? 5e-7 : 1e-6;
  // Given as null it is TRL's None: rows are not cut.
  const maxLength = given["max_length"] === undefined ? { maxLength: 1024 } : {};
  const shift = needsMean ? restorableMean() : undefined;
  const number = (key: string, range: Range, otherwise: number) => readNumber(given, key, range) ?? otherwise;
  const loggedWhen = readStrategy(given, ["logging_strategy"], ["steps", "epoch", "no"]) ?? "steps";
  return {
    config: given,
    loss: shift ? { ...loss, rewardShift: shift } : loss,
    collate: { ...maxLength, ...collate },
    train: {
      learningRate,
      ...defaults,
      ...train,
      ...readSchedule(train, warn),
      optim: readOptim(train.optim, warn),
    } as Recipe["train"],
    ofRows,
    drops: ["dpo", "kto"].includes(trainerOf(types)),
    mismatched: types.includes("kto"),
    readsPrompts: types.includes("orpo") && loss.nll !== false,
    // That of `sft` alone is for the rewards that are logged.
    needsReference: types.some((type) => (losses[type] as Loss & { reference?: false }).reference !== false),
    shift,
    precompute: readFlag(given, "precompute_ref_log_probs"),
    sync: readSync(given, syncs),
    logging: {
      when: loggedWhen,
      every: number("logging_steps", loggedWhen === "steps" ? "steps" : "stepsOrNone", 10),
      first: readFlag(given, "logging_first_step"),
    },
    evaluation: {
      when: readStrategy(given, ["eval_strategy", "evaluation_strategy"], ["steps", "epoch", "no"]),
      // 0 is as if it were not given.
      every: readNumber(given, "eval_steps", "stepsOrNone") || undefined,
      delay: number("eval_delay", "delay", 0),
    },
    saving: {
      when: readStrategy(given, ["save_strategy"], ["steps", "epoch", "best", "no"]) ?? "steps",
      // 0: none but the last.
      every: number("save_steps", "stepsOrNone", 500) || Infinity,
      limit: limitOf(number("save_total_limit", "limit", 2)),
    },
    best: readBest(given),
    inOrder: /^(SamplingStrategy\.)?sequential$/i.test(String(given["train_sampling_strategy"])),
  };
}

function readSync(config: TrlConfig, given: unknown): Recipe["sync"] {
  if (!readFlag({ sync_ref_model: given }, "sync_ref_model")) return undefined;
  const alpha = readNumber(config, "ref_model_mixup_alpha", "share") ?? 0.6;
  const every = readNumber(config, "ref_model_sync_steps", "count") ?? 512;
  if (readFlag(config, "precompute_ref_log_probs")) {
    throw new ParamError(
      "out-of-range",
      "config.sync_ref_model: expected without precompute_ref_log_probs, whose reference stays as it was",
    );
  }
  return { every, alpha };
}

/** transformers: 0 and below are none. */
const limitOf = (given: number): number => (given > 0 ? given : Infinity);

function readBest(config: TrlConfig): BestRule | undefined {
  const load = readFlag(config, "load_best_model_at_end");
  const saves = readStrategy(config, ["save_strategy"], ["steps", "epoch", "best", "no"]);
  if (!load && saves !== "best") return undefined;
  const given = config["metric_for_best_model"] ?? "loss";
  if (typeof given !== "string") {
    throw new KindError(`config.metric_for_best_model: expected a string, got ${shown(given)}`);
  }
  const greater = config["greater_is_better"] ?? undefined;
  const metric = given.startsWith("eval_") ? given : `eval_${given}`;
  return {
    metric,
    greater: greater === undefined ? !given.endsWith("loss") : readFlag(config, "greater_is_better"),
    load,
  };
}

type Range = "count" | "steps" | "stepsOrNone" | "share" | "delay" | "limit";

const ranges: Readonly<Record<Range, { holds: (x: number) => boolean; says: string }>> = {
  count: { holds: (x) => Number.isSafeInteger(x) && x > 0, says: "a positive integer" },
  // transformers: below 1 a share of all steps.
  steps: { holds: (x) => x > 0 && (x < 1 || Number.isSafeInteger(x)), says: "a positive integer, or a share below 1" },
  stepsOrNone: { holds: (x) => x === 0 || ranges.steps.holds(x), says: "0, a positive integer, or a share below 1" },
  share: { holds: (x) => x >= 0 && x <= 1, says: "a number in [0, 1]" },
  delay: { holds: (x) => x >= 0 && x < Infinity, says: "a number of epochs or steps" },
  limit: { holds: Number.isSafeInteger, says: "an integer" },
};

function readNumber(config: TrlConfig, key: string, range: Range): number | undefined {
  const value = config[key];
  if (value === undefined || value === null) return undefined;
  if (typeof value !== "number") throw new KindError(`config.${key}: expected a number, got ${shown(value)}`);
  const { holds, says } = ranges[range];
  if (holds(value)) return value;
  throw new ParamError("out-of-range", `config.${key}: expected ${says}, got ${value}`);
}

function readFlag(config: TrlConfig, key: string): boolean {
  const value = config[key] ?? false;
  if (typeof value === "boolean") return value;
  throw new KindError(`config.${key}: expected true or false, got ${shown(value)}`);
}

/** The first of some keys that is given. */
function readStrategy<W extends string>(
  config: TrlConfig,
  keys: readonly string[],
  words: readonly W[],
): W | undefined {
  const key = keys.find((one) => (config[one] ?? null) !== null);
  if (key === undefined) return undefined;
  const value = config[key];
  const name = typeof value === "string" ? value.replace(/^\w+Strategy\./, "").toLowerCase() : value;
  const word = words.find((one) => one === name);
  if (word !== undefined) return word;
  throw new ParamError("out-of-range", `config.${key}: expected one of ${words.join(", ")}, got ${shown(value)}`);
}

/** Schedules that wait for an evaluation or a loss to say when the rate falls. */
const watching: readonly unknown[] = ["reduce_lr_on_plateau", "reduce_on_plateau", "greedy"];

/** The schedule that stands in for one that is not here. */
function readSchedule({ lrSchedulerType, lrSchedulerKwargs }: TrlTrain, warn: (text: string) => void): TrlTrain {
  if (watching.includes(lrSchedulerType)) {
    warn(
      `lr_scheduler_type: ${lrSchedulerType} is not here: the rate stays as it is, which it does there until a metric stops improving`,
    );
    return { lrSchedulerType: "constant", lrSchedulerKwargs: undefined };
  }
  const ignores = lrSchedulerType === "constant" || lrSchedulerType === "constant_with_warmup";
  if (!ignores || Object.keys(lrSchedulerKwargs ?? {}).length === 0) return {};
  warn(`lr_scheduler_kwargs: not followed: ${lrSchedulerType} has none`);
  return { lrSchedulerKwargs: undefined };
}

const plainAdamw = ["adamw_torch", "adamw_torch_fused", "adamw_hf", "adamw_torch_xla", "adamw_apex_fused"];

/** The optimiser that stands in for the one asked for. */
function readOptim(given = "adamw_torch", warn: (text: string) => void): string {
  if (given === "sgd") return given;
  if (!plainAdamw.includes(given)) {
    warn(`optim: ${given} is not here: AdamW in float32 stands in for it (adamw_torch and sgd are followed)`);
  }
  return "adamw_torch";
}

/** A running mean that a step which came to nothing leaves as it was, and that a checkpoint brings back. */
export interface RestorableMean extends RunningMean {
  restore(state: { mean: number; count: number }): void;
}

function restorableMean(): RestorableMean {
  let state = { mean: 0, count: 0 };
  return {
    get mean() {
      return state.mean;
    },
    get count() {
      return state.count;
    },
    update(batchMean, times = 1) {
      state = { mean: nextMean(state, batchMean, times), count: state.count + times };
      return state.mean;
    },
    toJSON: () => state,
    restore(given) {
      state = given;
    },
  };
}

/** A number of steps that may be a share of all of them. */
export const stepsOf = (given: number, total: number): number => (given < 1 ? Math.ceil(given * total) : given);

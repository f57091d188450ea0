// What a training takes from a TRL configuration: all that `fromTrl` reads, and the keys of the loop around it.

import { KindError, ParamError } from "../../errors.ts";
import { fromTrl, type TrlConfig, type TrlTrain } from "../../from-trl/from-trl.ts";
import { type LossType, losses, lossTable } from "../../losses/index.ts";
import type { Loss } from "../../losses/loss.ts";
import { shown } from "../../messages.ts";
import { nextMean, type RunningMean } from "../../plan/running-mean.ts";
import type { LossOptions } from "../../types.ts";

/** How a configuration says that a training goes, defaults filled in: TRL's and transformers'. */
export interface Recipe {
  readonly config: TrlConfig;
  readonly loss: LossOptions;
  readonly collate: ReturnType<typeof fromTrl>["collate"];
  readonly train: TrlTrain & typeof defaults & { learningRate: number };
  /** Whether the examples are rows in place of pairs. */
  readonly ofRows: boolean;
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
  readonly loggingSteps: number;
  readonly loggingFirst: boolean;
  readonly evaluation: { readonly when: "steps" | "epoch" | "no" | undefined; readonly every: number | undefined };
  readonly saveSteps: number;
  readonly saveLimit: number;
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

/** Reads it; `warn` hears of what is not followed, the key first. Throws    as `fromTrl` */
export function readRecipe(given: TrlConfig, version: string | undefined, warn: (text: string) => void): Recipe {
  // The reference is this loop's, so what fromTrl says of it does not hold.
  const { sync_ref_model: syncs, ...rest } = given;
  const { loss, collate, train, warnings } = fromTrl(rest, { version });
  const needsMean = warnings.some((text) => text.includes("createRunningMean()"));
  for (const text of warnings) if (!/createRunningMean\(\)|for calls that see tokens/.test(text)) warn(text);
  warnOfKeys(given, warn);

  const types = [loss.lossType ?? "sigmoid"].flat() as LossType[];
  const ofRows = types.some((type) => lossTable[type].unit === "row");
  const learningRate = types.includes("bco") ? 5e-7 : 1e-6;
  // Given as null it is TRL's None: rows are not cut.
  const maxLength = given["max_length"] === undefined ? { maxLength: 1024 } : {};
  const shift = needsMean ? restorableMean() : undefined;
  const number = (key: string, range: Range, otherwise: number) => readNumber(given, key, range) ?? otherwise;
  return {
    config: given,
    loss: shift ? { ...loss, rewardShift: shift } : loss,
    collate: { ...maxLength, ...collate },
    train: { learningRate, ...defaults, ...train, optim: readOptim(train.optim, warn) } as Recipe["train"],
    ofRows,
    mismatched: types.includes("kto"),
    readsPrompts: types.includes("orpo") && loss.nll !== false,
    // That of `sft` alone is for the rewards that are logged.
    needsReference: types.some((type) => (losses[type] as Loss & { reference?: false }).reference !== false),
    shift,
    precompute: readFlag(given, "precompute_ref_log_probs"),
    sync: readSync(given, syncs),
    loggingSteps: number("logging_steps", "steps", 10),
    loggingFirst: readFlag(given, "logging_first_step"),
    evaluation: {
      when: readStrategy(given),
      every: readNumber(given, "eval_steps", "steps"),
    },
    saveSteps: number("save_steps", "steps", 500),
    saveLimit: number("save_total_limit", "count", 2),
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

type Range = "count" | "steps" | "share";

const ranges: Readonly<Record<Range, { holds: (x: number) => boolean; says: string }>> = {
  count: { holds: (x) => Number.isSafeInteger(x) && x > 0, says: "a positive integer" },
  // transformers: below 1 a share of all steps.
  steps: { holds: (x) => x > 0 && (x < 1 || Number.isSafeInteger(x)), says: "a positive integer, or a share below 1" },
  share: { holds: (x) => x >= 0 && x <= 1, says: "a number in [0, 1]" },
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

function readStrategy(config: TrlConfig): Recipe["evaluation"]["when"] {
  const value = config["eval_strategy"] ?? config["evaluation_strategy"] ?? undefined;
  const name = typeof value === "string" ? value.replace(/^IntervalStrategy\./, "").toLowerCase() : value;
  if (name === undefined || name === "steps" || name === "epoch" || name === "no") return name;
  throw new ParamError("out-of-range", `config.eval_strategy: expected no, steps or epoch, got ${shown(value)}`);
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

/** What changes a training in TRL and is not followed here, with the values at which it does nothing. */
const notFollowed: Readonly<Record<string, { readonly off: readonly unknown[]; readonly says: string }>> = {
  auto_find_batch_size: { off: [false], says: "the batch size is what per_device_train_batch_size says" },
  group_by_length: { off: [false], says: "each epoch is shuffled, whatever the lengths" },
  train_sampling_strategy: { off: ["random", "sequential"], says: "each epoch is shuffled, whatever the lengths" },
  load_best_model_at_end: { off: [false], says: "the head at the end is the last one; eval_… says which was best" },
  metric_for_best_model: { off: [], says: "no model is chosen: see load_best_model_at_end" },
  eval_delay: { off: [0], says: "evaluation does not wait" },
  eval_on_start: { off: [false], says: "call evaluate() before the first step" },
  generate_during_eval: { off: [false], says: "nothing is generated" },
  optim_args: { off: [""], says: "optimisers take adam_beta1, adam_beta2, adam_epsilon, weight_decay alone" },
  optim_target_modules: { off: [], says: "the head alone is trained" },
  ignore_data_skip: { off: [false], says: "a resumed training goes on with the examples that come next" },
  model_adapter_name: { off: [], says: "an adapter is what `lora` says" },
  push_to_hub: { off: [false], says: "nothing is uploaded" },
};

function warnOfKeys(config: TrlConfig, warn: (text: string) => void): void {
  for (const [key, { off, says }] of Object.entries(notFollowed)) {
    const value = config[key];
    if (value !== undefined && value !== null && !off.includes(value)) warn(`${key}: not followed: ${says}`);
  }
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

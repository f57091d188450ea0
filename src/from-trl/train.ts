// What a training loop needs of transformers' TrainingArguments.

import { memberOf } from "./enums.ts";

/** What a training loop needs: what the configuration says, and nothing else. */
export interface TrlTrain {
  learningRate?: number | undefined;
  batchSize?: number | undefined;
  evalBatchSize?: number | undefined;
  gradientAccumulationSteps?: number | undefined;
  numTrainEpochs?: number | undefined;
  maxSteps?: number | undefined;
  maxGradNorm?: number | undefined;
  weightDecay?: number | undefined;
  optim?: string | undefined;
  optimArgs?: string | undefined;
  adamBeta1?: number | undefined;
  adamBeta2?: number | undefined;
  adamEpsilon?: number | undefined;
  lrSchedulerType?: string | undefined;
  lrSchedulerKwargs?: object | undefined;
  warmupSteps?: number | undefined;
  warmupRatio?: number | undefined;
  seed?: number | undefined;
  dataSeed?: number | undefined;
  dropLast?: boolean | undefined;
}

/** The keys that are read for it, with the kinds of their values. */
export const trainKeys = {
  learning_rate: "number",
  per_device_train_batch_size: "count",
  per_device_eval_batch_size: "count",
  gradient_accumulation_steps: "count",
  num_train_epochs: "number",
  max_steps: "integer",
  max_grad_norm: "number",
  weight_decay: "number",
  optim: "text",
  optim_args: "text",
  adam_beta1: "number",
  adam_beta2: "number",
  adam_epsilon: "number",
  lr_scheduler_type: "text",
  lr_scheduler_kwargs: "object",
  warmup_steps: "number",
  warmup_ratio: "number",
  seed: "integer",
  data_seed: "integer",
  dataloader_drop_last: "flag",
} as const;

type TrainKey = keyof typeof trainKeys;

/** The fields that have another name than their keys: learning_rate is learningRate. */
const renamed: Readonly<Record<string, keyof TrlTrain>> = {
  per_device_train_batch_size: "batchSize",
  per_device_eval_batch_size: "evalBatchSize",
  dataloader_drop_last: "dropLast",
};

const enums: Readonly<Record<string, string>> = { optim: "OptimizerNames", lr_scheduler_type: "SchedulerType" };

const fieldOf = (key: string): string =>
  renamed[key] ?? key.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase());

/** Every field, undefined where `get` has none. */
export function readTrain(get: (key: TrainKey) => unknown): TrlTrain {
  const fields = (Object.keys(trainKeys) as TrainKey[]).map((key) => {
    const [value, type] = [get(key), enums[key]];
    return [fieldOf(key), type && typeof value === "string" ? memberOf(type, value) : value];
  });
  return Object.fromEntries(fields);
}

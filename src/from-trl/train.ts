// What a training loop needs of transformers' TrainingArguments.

import { memberOf } from "./enums.ts";
import type { Get } from "./read.ts";

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

const member = (type: string, text: string | undefined): string | undefined => text && memberOf(type, text);

export const readTrain = (get: Get): TrlTrain => ({
  learningRate: get("learning_rate"),
  batchSize: get("per_device_train_batch_size"),
  evalBatchSize: get("per_device_eval_batch_size"),
  gradientAccumulationSteps: get("gradient_accumulation_steps"),
  numTrainEpochs: get("num_train_epochs"),
  maxSteps: get("max_steps"),
  maxGradNorm: get("max_grad_norm"),
  weightDecay: get("weight_decay"),
  optim: member("OptimizerNames", get("optim")),
  optimArgs: get("optim_args"),
  adamBeta1: get("adam_beta1"),
  adamBeta2: get("adam_beta2"),
  adamEpsilon: get("adam_epsilon"),
  lrSchedulerType: member("SchedulerType", get("lr_scheduler_type")),
  lrSchedulerKwargs: get("lr_scheduler_kwargs"),
  warmupSteps: get("warmup_steps"),
  warmupRatio: get("warmup_ratio"),
  seed: get("seed"),
  dataSeed: get("data_seed"),
  dropLast: get("dataloader_drop_last"),
});

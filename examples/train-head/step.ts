// The training loop: batch by batch from hidden states to the loss and back to the head, clip, update. Names, defaults and
// order of things are those of TRL's and transformers' trainers; `loss` and `train` are what `fromTrl` makes of a DPOConfig.

import type { Backend, FromTrlResult, LinearLossResult, LossOptions } from "dpo-kernels";
import { adamw, adamwState, clipGradNorm, lrSchedule, sgd } from "dpo-kernels/train";
import { batchOf, type HeadTask } from "./task.ts";

type LinearLoss = Backend["linearLoss"];

/** Any backend: those that compute elsewhere return promises. */
export interface LinearBackend {
  linearLoss(...args: Parameters<LinearLoss>): LinearLossResult | Promise<LinearLossResult>;
}

export interface TrainOptions {
  loss?: LossOptions | undefined;
  train?: FromTrlResult["train"] | undefined;
  head: Head;
}

/** What is trained, in the form of the call that trains it. */
export interface Head {
  /** weight, or A and B. */
  parameters: Record<string, Float32Array>;
  inputs: { weight: Float32Array; lora?: { a: Float32Array; b: Float32Array; rank: number; scale: number } };
  /** The buffers for their gradients, as named in the result, in the order of the parameters. */
  gradients: Partial<Record<"gradWeight" | "gradA" | "gradB", Float32Array>>;
}

/** The whole head, from where the model has it. */
export function fullHead({ weight: start }: HeadTask): Head {
  const weight = start.slice();
  return { parameters: { weight }, inputs: { weight }, gradients: { gradWeight: new Float32Array(weight.length) } };
}

/** weight + alpha/rank · B·A; `a` is [rank·D], B [V·rank] begins at 0. */
export function loraHead({ weight, vocab }: HeadTask, a: Float32Array, rank: number, alpha: number): Head {
  const b = new Float32Array(vocab * rank);
  return {
    parameters: { A: a, B: b },
    inputs: { weight, lora: { a, b, rank, scale: alpha / rank } },
    gradients: { gradA: new Float32Array(a.length), gradB: new Float32Array(b.length) },
  };
}

export interface StepReport {
  step: number;
  steps: number;
  /** In the batches of a step together. */
  pairs: number;
  learningRate: number;
  loss: number;
  /** Of all parameters together, before clipping. */
  gradNorm: number;
  metrics: Record<string, number>;
}

/** Trains the head in place, and says after each step what its batches came to before the update. */
export async function* trainHead(backend: LinearBackend, task: HeadTask, options: TrainOptions) {
  const { head, loss, train = {} } = options;
  const { batchSize = 8, gradientAccumulationSteps: parts = 1, maxGradNorm = 1 } = train;
  const parameters = Object.values(head.parameters);
  const gradients = Object.values(head.gradients);
  const steps = stepsOf(task, train);
  const rate = lrSchedule(steps, train);
  const update = optimiser(parameters, train);
  for (let step = 0; step < steps; step++) {
    const results: Outcome[] = [];
    for (let part = 0; part < parts; part++) {
      const first = (step * parts + part) * batchSize;
      const chosen = Array.from({ length: batchSize }, (_, j) => (first + j) % task.trainPairs);
      const call = { ...loss, out: head.gradients, gradScale: 1 / parts, accumulate: part > 0 };
      results.push(await lossOf(backend, task, head, chosen, call));
    }
    // transformers: 0 is off.
    const gradNorm = clipGradNorm(gradients, maxGradNorm > 0 ? maxGradNorm : Infinity);
    update(gradients, rate(step));
    const pairs = parts * batchSize;
    yield { step, steps, pairs, learningRate: rate(step), gradNorm, ...meanOf(results) } satisfies StepReport;
  }
}

/** Loss and metrics of the pairs that are not trained on, as one batch. */
export async function evaluate(backend: LinearBackend, task: HeadTask, head: Head, loss?: LossOptions) {
  const { pairs, trainPairs } = task;
  const chosen = Array.from({ length: pairs - trainPairs }, (_, j) => trainPairs + j);
  return lossOf(backend, task, head, chosen, { ...loss });
}

async function lossOf(
  backend: LinearBackend,
  task: HeadTask,
  head: Head,
  chosen: number[],
  options: Parameters<LinearLoss>[1],
): Promise<Outcome> {
  const { loss, metrics } = await backend.linearLoss(
    { ...batchOf(task, chosen), ...head.inputs },
    { ...options, frozen: "hidden" },
  );
  return { loss, metrics };
}

type Outcome = Pick<StepReport, "loss" | "metrics">;

function stepsOf({ trainPairs }: HeadTask, train: FromTrlResult["train"]): number {
  const { maxSteps = -1, numTrainEpochs = 3, batchSize = 8, gradientAccumulationSteps = 1 } = train;
  if (maxSteps > 0) return maxSteps;
  return Math.ceil((numTrainEpochs * trainPairs) / (batchSize * gradientAccumulationSteps));
}

type Update = (gradients: Float32Array[], lr: number) => void;

function optimiser(parameters: Float32Array[], train: FromTrlResult["train"]): Update {
  const { optim = "adamw_torch", weightDecay = 0, adamBeta1 = 0.9, adamBeta2 = 0.999, adamEpsilon: eps = 1e-8 } = train;
  if (optim === "sgd") {
    const state = { step: 0 };
    return (gradients, lr) => sgd(parameters, gradients, state, { lr, weightDecay });
  }
  if (!optim.startsWith("adamw")) throw new Error(`optim: expected adamw_torch or sgd, got ${optim}`);
  const state = adamwState(parameters);
  return (gradients, lr) =>
    adamw(parameters, gradients, state, { lr, weightDecay, betas: [adamBeta1, adamBeta2], eps });
}

function meanOf(results: Outcome[]): Outcome {
  const mean = (of: (result: Outcome) => number): number =>
    results.reduce((sum, result) => sum + of(result), 0) / results.length;
  const names = Object.keys(results[0]?.metrics ?? {});
  const metrics = names.map((name) => [name, mean((result) => result.metrics[name] ?? Number.NaN)] as const);
  return { loss: mean(({ loss }) => loss), metrics: Object.fromEntries(metrics) };
}

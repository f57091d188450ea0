// The experiment: a reference model of the language, pairs of its own completions, every loss at several β, and how far each policy is
// from the reference for the reward that it has.

import { createRunningMean, createWasm, type LossType, lossTypes } from "dpo-kernels";
import { randomFrom } from "../train-head/toy.ts";
import { prompts, rewardOf, START, writeReview } from "./language.ts";
import { copyOf, type Model, type NextWords, newModel, nextWordsOf, sample } from "./model.ts";
import { newBatch, type OwnOptions, type Pair, trainModel } from "./train.ts";

export const defaults = {
  seed: 1,
  /** Of the reference model, each on a batch of reviews. */
  sftSteps: 600,
  pairs: 1024,
  batchSize: 64,
  lr: 5e-3,
  betas: [0.05, 0.1, 1, 5],
  /** Steps after which a policy is looked at. */
  steps: [10, 20, 40, 80, 160],
  /** Completions of each prompt that a policy is judged by. */
  samples: 128,
};

export type Settings = typeof defaults;

export interface Point {
  /** Nats, KL(policy ‖ reference) of a completion, the mean over prompts. */
  kl: number;
  /** The mean reward of a completion. */
  reward: number;
}

export interface Run {
  loss: LossType;
  beta: number;
  points: (Point & { step: number })[];
}

export interface Result {
  settings: Settings;
  /** The mean reward of the reference model, and the standard deviation of a completion's. */
  reference: { reward: number; deviation: number };
  /** The most that any policy can have. */
  optimum: Point[];
  runs: Run[];
}

// What the defaults would leave without effect: no label noise is no robust loss.
const options: Partial<Record<LossType, OwnOptions>> = { robust: { labelSmoothing: 0.1 } };

/** A loss without β has one run. */
const usesBeta = (loss: LossType): boolean => loss !== "sft";

/** Yields a run when it is done, and returns all of them. */
export async function* runExperiment(settings: Settings): AsyncGenerator<Run, Result> {
  const { seed, samples, pairs, batchSize, lr, betas, steps } = settings;
  const backend = await createWasm({ relaxed: false });
  const random = randomFrom(seed);
  const reference = trainReference();
  const byReference = nextWordsOf(reference);
  const preferred = Array.from({ length: pairs }, (_, i) => newPair(prompts[i % prompts.length] ?? []));
  const batches = Array.from({ length: pairs / batchSize }, (_, i) =>
    newBatch(backend, preferred.slice(i * batchSize, (i + 1) * batchSize), reference),
  );
  const runs: Run[] = [];
  for (const loss of lossTypes) {
    for (const beta of usesBeta(loss) ? betas : betas.slice(0, 1)) {
      runs.push({ loss, beta, points: trainPolicy(loss, beta) });
      yield runs.at(-1) as Run;
    }
  }
  const rewards = prompts.map((prompt) => draw(byReference, prompt, 16 * samples).map(({ reward }) => reward));
  return { settings, reference: meanOf(rewards.flat()), optimum: optimumOf(rewards), runs };

  /** The reference: `sft` on reviews of the grammar, which stand where chosen completions do, beside empty ones. */
  function trainReference(): Model {
    const model = newModel(random);
    const reviews = Array.from({ length: pairs }, () => ({
      ...{ prompt: [START], chosen: writeReview(random), rejected: [] },
      margin: 0,
    }));
    const all = Array.from({ length: pairs / batchSize }, (_, i) =>
      newBatch(backend, reviews.slice(i * batchSize, (i + 1) * batchSize), model),
    );
    advance(trainModel(backend, model, all, { lossType: "sft", lr }), settings.sftSteps);
    return model;
  }

  /** Two completions of the reference, of which the lexicon prefers one. */
  function newPair(prompt: number[]): Pair {
    const [one, other] = [0, 1].map(() => sample(byReference, byReference, prompt, random)) as [Sample, Sample];
    const margin = rewardOf(one.completion) - rewardOf(other.completion);
    if (margin === 0) return newPair(prompt);
    const [chosen, rejected] = margin > 0 ? [one, other] : [other, one];
    return { prompt, chosen: chosen.completion, rejected: rejected.completion, margin: Math.abs(margin) };
  }

  function trainPolicy(lossType: LossType, beta: number): Run["points"] {
    const policy = copyOf(reference);
    const shift = lossType === "bco" ? { rewardShift: createRunningMean() } : {};
    const training = trainModel(backend, policy, batches, { lossType, lr, beta, ...options[lossType], ...shift });
    let done = 0;
    return steps.map((step) => {
      advance(training, step - done);
      done = step;
      const byPolicy = nextWordsOf(policy);
      const drawn = prompts.flatMap((prompt) => draw(byPolicy, prompt, samples));
      return { step, ...meanPoint(drawn) };
    });
  }

  /** Completions, the same random numbers for every policy. */
  function draw(policy: NextWords, prompt: number[], count: number): Point[] {
    const own = randomFrom(seed + 1);
    return Array.from({ length: count }, () => {
      const { completion, kl } = sample(policy, byReference, prompt, own);
      return { kl, reward: rewardOf(completion) };
    });
  }
}

type Sample = ReturnType<typeof sample>;

function advance(training: Generator<number, never>, steps: number): void {
  for (let step = 0; step < steps; step++) training.next();
}

function meanPoint(drawn: readonly Point[]): Point {
  const mean = (of: (point: Point) => number): number => drawn.reduce((sum, one) => sum + of(one), 0) / drawn.length;
  return { kl: rounded(mean(({ kl }) => kl)), reward: rounded(mean(({ reward }) => reward)) };
}

function meanOf(values: readonly number[]) {
  const reward = values.reduce((sum, value) => sum + value, 0) / values.length;
  const variance = values.reduce((sum, value) => sum + (value - reward) ** 2, 0) / values.length;
  return { reward: rounded(reward), deviation: rounded(Math.sqrt(variance)) };
}

/** The best policies there are: π ∝ π_ref · e^(reward/β), whose reward and KL follow from the rewards under π_ref, prompt by prompt. */
function optimumOf(rewards: readonly (readonly number[])[]): Point[] {
  return Array.from({ length: 60 }, (_, i) => {
    const inverse = 0.02 * i * i;
    const points = rewards.map((list) => {
      const weights = list.map((reward) => Math.exp(inverse * reward));
      const total = weights.reduce((sum, weight) => sum + weight, 0);
      const reward = list.reduce((sum, value, k) => sum + (value * (weights[k] ?? 0)) / total, 0);
      return { reward, kl: inverse * reward - Math.log(total / list.length) };
    });
    return meanPoint(points);
  });
}

// Four digits: more than the samples have.
const rounded = (value: number): number => Number(value.toFixed(4));

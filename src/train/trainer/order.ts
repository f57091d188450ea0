// Which examples are in which step: transformers' arithmetic of batches, parts and epochs, and the order of the examples in each epoch.
// All of it follows from seed and step, so that a training that goes on needs no state of it.

import type { Recipe } from "./config.ts";
import { noBatch } from "./examples.ts";

/** The batches of a step, each by the places of its examples, and where that leaves the training. */
export interface StepPlan {
  readonly epoch: number;
  readonly batches: readonly (readonly number[])[];
  /** Passes over the examples once the step is taken. */
  readonly passed: number;
  readonly endsEpoch: boolean;
}

export interface Order {
  readonly steps: number;
  readonly stepsPerEpoch: number;
  /** All examples, as the first epoch has them. */
  readonly first: readonly number[];
  at(step: number): StepPlan;
  /** The examples of the batch of the first epoch that one is in; those that the epoch drops have a batch too. */
  firstBatchOf(example: number): readonly number[];
}

/** The order of `count` examples, in epochs shuffled by the seed or as they stand. */
export function orderOf(count: number, { train }: Recipe, shuffle: boolean): Order {
  const { batchSize, gradientAccumulationSteps: parts, dropLast, maxSteps, numTrainEpochs } = train;
  const seed = train.dataSeed ?? train.seed;
  const perEpoch = dropLast ? Math.floor(count / batchSize) : Math.ceil(count / batchSize);
  const stepsPerEpoch = Math.max(Math.ceil(perEpoch / parts), 1);
  if (perEpoch === 0) {
    throw noBatch(batchSize, dropLast, count);
  }
  const steps = maxSteps > 0 ? maxSteps : Math.ceil(numTrainEpochs * stepsPerEpoch);

  let last: { epoch: number; order: Uint32Array } | undefined;
  const orderIn = (epoch: number): Uint32Array => {
    if (last?.epoch === epoch) return last.order;
    last = { epoch, order: shuffle ? shuffled(count, seed, epoch) : Uint32Array.from({ length: count }, (_, i) => i) };
    return last.order;
  };
  const first = orderIn(0);
  const places = new Uint32Array(count);
  first.forEach((example, place) => {
    places[example] = place;
  });
  const batchIn = (order: Uint32Array, k: number): readonly number[] => [
    ...order.subarray(k * batchSize, (k + 1) * batchSize),
  ];
  return {
    steps,
    stepsPerEpoch,
    first: [...first],
    at(step) {
      const epoch = Math.floor(step / stepsPerEpoch);
      const firstBatch = (step % stepsPerEpoch) * parts;
      const end = Math.min(firstBatch + parts, perEpoch);
      const order = orderIn(epoch);
      return {
        epoch,
        batches: Array.from({ length: end - firstBatch }, (_, k) => batchIn(order, firstBatch + k)),
        passed: epoch + end / perEpoch,
        endsEpoch: end === perEpoch,
      };
    },
    firstBatchOf: (example) => batchIn(first, Math.floor((places[example] as number) / batchSize)),
  };
}

/** 0 … count − 1 in an order of its own for each seed and epoch: Fisher and Yates's shuffle, from the last place down. */
export function shuffled(count: number, seed: number, epoch: number): Uint32Array {
  const order = Uint32Array.from({ length: count }, (_, i) => i);
  const random = randomOf(seed, epoch);
  for (let i = count - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    const kept = order[i] as number;
    order[i] = order[j] as number;
    order[j] = kept;
  }
  return order;
}

/** Numbers in [0, 1), the same for the same seed and stream: mulberry32. */
export function randomOf(seed: number, stream: number): () => number {
  // The halves of a large seed both count.
  let state = (seed ^ Math.floor(seed / 2 ** 32) ^ Math.imul(stream + 1, 0x9e3779b9)) | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

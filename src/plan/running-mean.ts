// The running mean of rewards that BCO subtracts (`rewardShift`): of batches as TRL's DPOTrainer kept it up to v0.28 for bco_pair, of
// rows as its BCOTrainer keeps it for bco.

import { recordOf } from "../checks/record.ts";
import { outOfRange, wrongKind } from "../checks/refusals.ts";

/** A mean over calls: with `bco_pair` each call counts once, whatever its batch size; with `bco` each of its rows does. */
export interface RunningMean {
  readonly mean: number;
  readonly count: number;
  /** Takes in the mean of one batch, which counts `times` times, and returns the new mean, the current batch included. Default 1. */
  update(batchMean: number, times?: number): number;
  toJSON(): { mean: number; count: number };
}

/** The mean once one more batch is taken in. */
export const nextMean = ({ mean, count }: { mean: number; count: number }, batchMean: number, times = 1): number =>
  mean + ((batchMean - mean) * times) / (count + times);

const readState = recordOf<{ mean: number; count: number }>(
  {
    what: "state",
    field: "a part of a running mean's state",
    expected: "{ mean: number, count: number }",
  },
  ["mean", "count"],
);

// What `createRunningMean` made; nobody can change it but through `update`.
const made = new WeakSet<object>();

/** A running mean; one of another copy of this package is read once. Undefined for what is none. */
export function readRunningMean(value: object): RunningMean | undefined {
  if (made.has(value)) return value as RunningMean;
  try {
    const { mean, count, update } = value as RunningMean;
    // One that took in a NaN stays NaN, as TRL's does.
    if (typeof mean !== "number" || !Number.isSafeInteger(count) || typeof update !== "function") return undefined;
    return { mean, count, update: (...args) => update.apply(value, args), toJSON: () => ({ mean, count }) };
  } catch {
    return undefined;
  }
}

/**
 * A running mean to hand to `rewardShift`; every successful call that uses it updates it once.
 *
 * Throws    KindError if the state to restore is not `{ mean, count }`; ParamError for a mean that is not finite, a count that
 *           is none
 * @example  import { createJs, createRunningMean } from "dpo-kernels";
 *           const shift = createRunningMean();
 *           const pairs = { policyChosen: Float32Array.of(-10), policyRejected: Float32Array.of(-12) };
 *           createJs().pairLoss(pairs, { lossType: "bco_pair", rewardShift: shift, referenceFree: true });
 *           const saved = JSON.stringify(shift);
 *           const restored = createRunningMean(JSON.parse(saved));
 */
export function createRunningMean(state?: { mean: number; count: number }): RunningMean {
  let { mean, count } = state === undefined ? { mean: 0, count: 0 } : readState(state);
  if (typeof mean !== "number" || typeof count !== "number") {
    throw wrongKind("state", "{ mean: number, count: number }", state);
  }
  if (!Number.isFinite(mean)) {
    throw outOfRange("state.mean", "a finite number", mean);
  }
  if (!Number.isSafeInteger(count) || count < 0) {
    throw outOfRange("state.count", "a count of batches", count);
  }
  const running: RunningMean = {
    get mean() {
      return mean;
    },
    get count() {
      return count;
    },
    update(batchMean, times = 1) {
      mean = nextMean({ mean, count }, batchMean, times);
      count += times;
      return mean;
    },
    toJSON: () => ({ mean, count }),
  };
  made.add(Object.freeze(running));
  return running;
}

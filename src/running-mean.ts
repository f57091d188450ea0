// The running mean of rewards that BCO subtracts (`rewardShift`), as TRL's DPOTrainer kept it up to v0.28.

import { KindError } from "./errors.ts";
import { kindOf } from "./plan.ts";

/** A mean over calls: each call counts once, whatever its batch size. */
export interface RunningMean {
  readonly mean: number;
  readonly count: number;
  /** Takes in the mean of one batch and returns the new mean, the current batch included. */
  update(batchMean: number): number;
  toJSON(): { mean: number; count: number };
}

/** The mean once one more batch is taken in. */
export const nextMean = ({ mean, count }: { mean: number; count: number }, batchMean: number): number =>
  mean + (batchMean - mean) / (count + 1);

/**
 * A running mean to hand to `rewardShift`; every successful call that uses it updates it once.
 *
 * Throws    KindError if the state to restore is not `{ mean, count }`
 * @example  const shift = createRunningMean();
 *           js.pairLoss(pairs, { lossType: "bco_pair", rewardShift: shift });
 *           const saved = JSON.stringify(shift);
 *           const restored = createRunningMean(JSON.parse(saved));
 */
export function createRunningMean(state?: { mean: number; count: number }): RunningMean {
  let { mean, count } = state ?? { mean: 0, count: 0 };
  if (typeof mean !== "number" || typeof count !== "number") {
    throw new KindError(`state: expected { mean: number, count: number }, got ${kindOf(state)}`);
  }
  return {
    get mean() {
      return mean;
    },
    get count() {
      return count;
    },
    update(batchMean) {
      mean = nextMean({ mean, count }, batchMean);
      count += 1;
      return mean;
    },
    toJSON: () => ({ mean, count }),
  };
}

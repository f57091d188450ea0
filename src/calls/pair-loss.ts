// pairLoss as every backend of this thread does it: plan, check, compute, metrics.

import { checkCall, readLossOptions, refuseUnused } from "../inputs/options.ts";
import { checkPairs, type PairJob, type PairSums, type ReadPairs, readPairs, type Scan } from "../inputs/pairs.ts";
import { type Plan, planLosses } from "../plan/plan.ts";
import { nextMean } from "../plan/running-mean.ts";
import type { FloatArray, PairLogps, PairLossOptions, PairLossResult } from "../types.ts";

/** What a backend computes with. */
export interface PairEngine {
  /** Fills the job's buffers; the sums it returns become loss and metrics. */
  compute(job: PairJob): PairSums;
  scan: Scan;
  /** Sees the plan before the inputs are read: refuses what the backend has no kernel for. */
  check?(plan: Plan): void;
}

const noOptions: PairLossOptions = {};

/** The call `pairLoss` of a backend. */
export function makePairLoss(engine: PairEngine) {
  return (pairs: PairLogps, given: PairLossOptions = noOptions): PairLossResult => {
    const options = readLossOptions(given);
    const { result, commit } = runPairs(engine, checkPairLoss(engine, readPairs(pairs), options));
    commit();
    options.onProgress?.(result.losses.length, result.losses.length);
    return result;
  };
}

/** Checks a call of pairLoss whose inputs and options were read. */
export function checkPairLoss(engine: PairEngine, pairs: ReadPairs, options: PairLossOptions): PairJob {
  const plan = planLosses(options);
  engine.check?.(plan);
  checkCall(options);
  refuseUnused(options, ["inPlace", "accumulate", "ldAlpha", "weighting"], "pairLoss, which sees no tokens");
  return checkPairs(pairs, plan, options, engine.scan);
}

/** The pair stage of every call; `commit` takes the batch into the running mean, once the call has succeeded. */
export function runPairs(engine: PairEngine, job: PairJob): { result: PairLossResult; commit: () => void } {
  const commit = setShift(job, engine.scan);
  return { result: toResult(job, engine.compute(job)), commit };
}

/** Gives the losses the running mean with this batch in it; the function returned makes that last. */
export function setShift(job: PairJob, scan: Scan): () => void {
  const { shift, terms } = job.plan;
  if (!shift) return () => {};
  const batchMean = meanReward(job, scan);
  for (const { params, shiftAt } of terms) if (shiftAt >= 0) params[shiftAt] = nextMean(shift, batchMean);
  return () => shift.update(batchMean);
}

// TRL up to v0.28: the mean over calls, the current one included, of the mean of all 2B rewards.
function meanReward(job: PairJob, scan: Scan): number {
  const sum = (values: FloatArray | undefined): number => (values ? scan(values).sum : 0);
  const ratios =
    sum(job.policyChosen) + sum(job.policyRejected) - sum(job.referenceChosen) - sum(job.referenceRejected);
  return (job.plan.beta * ratios) / (2 * job.pairs);
}

/** What a call returns, from the sums over its pairs. */
export function toResult(job: PairJob, sums: PairSums): PairLossResult {
  const { plan, pairs, losses, gradChosen, gradRejected, chosenRewards, rejectedRewards } = job;
  const chosen = (plan.beta * sums.chosenRatio) / pairs;
  const rejected = (plan.beta * sums.rejectedRatio) / pairs;
  const result: PairLossResult = {
    loss: sums.losses / pairs,
    losses,
    gradChosen,
    gradRejected,
    metrics: {
      "rewards/chosen": chosen,
      "rewards/rejected": rejected,
      "rewards/accuracies": sums.wins / pairs,
      "rewards/margins": chosen - rejected,
      "logps/chosen": sums.policyChosen / pairs,
      "logps/rejected": sums.policyRejected / pairs,
    },
  };
  if (chosenRewards) result.chosenRewards = chosenRewards;
  if (rejectedRewards) result.rejectedRewards = rejectedRewards;
  return result;
}

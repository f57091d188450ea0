// pairLoss as every backend of this thread does it: plan, check, compute, metrics.

import { checkPairs, type PairJob, type PairSums, total } from "../pairs.ts";
import { type Plan, planLosses } from "../plan.ts";
import { nextMean } from "../running-mean.ts";
import type { PairLogps, PairLossOptions, PairLossResult } from "../types.ts";

/** Fills the job's buffers; the sums it returns become loss and metrics. */
export type PairEngine = (job: PairJob) => PairSums;

const noOptions: PairLossOptions = {};

/** `check` sees the plan before the inputs are: a backend refuses there what it has no kernel for. */
export function makePairLoss(compute: PairEngine, check?: (plan: Plan) => void) {
  return (pairs: PairLogps, options: PairLossOptions = noOptions): PairLossResult => {
    const plan = planLosses(options);
    check?.(plan);
    const job = checkPairs(pairs, plan, options);
    const { shift } = plan;
    const batchMean = shift ? meanReward(job) : 0;
    if (shift) setShift(plan, nextMean(shift, batchMean));
    const sums = compute(job);
    shift?.update(batchMean);
    options.onProgress?.(job.pairs, job.pairs);
    return toResult(job, sums);
  };
}

// TRL up to v0.28: the mean over calls, the current one included, of the mean of all 2B rewards.
function meanReward({ plan, pairs, policyChosen, policyRejected, referenceChosen, referenceRejected }: PairJob): number {
  const reference = referenceChosen && referenceRejected ? total(referenceChosen) + total(referenceRejected) : 0;
  return (plan.beta * (total(policyChosen) + total(policyRejected) - reference)) / (2 * pairs);
}

function setShift(plan: Plan, shift: number): void {
  for (const { params, shiftAt } of plan.terms) if (shiftAt >= 0) params[shiftAt] = shift;
}

function toResult(job: PairJob, sums: PairSums): PairLossResult {
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

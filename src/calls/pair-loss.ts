// pairLoss: plan, check, compute, metrics; and the parts of it that calls with tokens share.

import type { MaybePromise, PairEngine } from "../engine.ts";
import type { Scan } from "../inputs/columns.ts";
import { noSums, type PairSums } from "../inputs/pair-sums.ts";
import { checkPairs, type JobOfPairs, type PairJob, type ReadPairs } from "../inputs/pairs.ts";
import { filledWith } from "../plan/plan.ts";
import { nextMean } from "../plan/running-mean.ts";
import type { FloatArray, PairLossOptions, PairLossResult } from "../types.ts";
import { createPlanner } from "./plan-once.ts";
import type { Steps } from "./steps.ts";

/** The call `pairLoss` of a backend, step by step, once what it was given is read. */
export function* pairLoss<S extends MaybePromise>(
  { pairs: engine }: { readonly pairs: PairEngine<S> },
  pairs: ReadPairs,
  options: PairLossOptions,
): Steps<PairLossResult, S> {
  const { job, commit } = shiftPairs(checkPairLoss(engine, pairs, options), engine.scan);
  const sums = noSums();
  yield engine.compute(job, sums);
  commit();
  options.onProgress?.(job.pairs, job.pairs);
  return toResult(job, sums);
}

/** Checks a call of pairLoss whose inputs and options were read. */
export function checkPairLoss(
  engine: Pick<PairEngine, "check" | "scan">,
  pairs: ReadPairs,
  options: PairLossOptions,
): JobOfPairs {
  return checkPairs(pairs, planPairs(options, engine.check), options, engine.scan);
}

const planPairs = createPlanner("pair", "pairLoss, which sees no tokens");

/**
 * The job with the running mean that its batch makes, which counts `times` times; `commit` takes the batch into the running mean,
 * once the call succeeds.
 */
export function takeShift<J extends PairJob>(job: J, meanOf: () => number, times = 1): { job: J; commit: () => void } {
  const { shift } = job.plan;
  if (!shift) return { job, commit: nothing };
  const batchMean = meanOf();
  const plan = filledWith(job.plan, { shift: nextMean(shift, batchMean, times) });
  return { job: { ...job, plan }, commit: () => void shift.update(batchMean, times) };
}

const nothing = (): void => {};

/** The same of pairs, whose batches count once each. */
export const shiftPairs = (job: JobOfPairs, scan: Scan) => takeShift(job, () => meanReward(job, scan));

// TRL up to v0.28: the mean over calls, the current one included, of the mean of all 2B rewards.
function meanReward(job: JobOfPairs, scan: Scan): number {
  const sum = (values: FloatArray | undefined): number => (values ? scan(values).sum : 0);
  const ratios =
    sum(job.policyChosen) + sum(job.policyRejected) - sum(job.referenceChosen) - sum(job.referenceRejected);
  return (job.plan.beta * ratios) / (2 * job.pairs);
}

/** What a call returns, from the sums over its pairs. */
export function toResult(job: JobOfPairs, sums: PairSums): PairLossResult {
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
  if (plan.odds) {
    result.metrics["log_odds_ratio"] = sums.oddsRatio / pairs;
    result.metrics["log_odds_chosen"] = sums.odds / pairs;
  }
  if (chosenRewards) result.chosenRewards = chosenRewards;
  if (rejectedRewards) result.rejectedRewards = rejectedRewards;
  return result;
}

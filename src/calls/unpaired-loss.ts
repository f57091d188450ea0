// unpairedLoss: plan, check, compute on the pair stage, metrics; and the parts of it that calls with tokens share.

import type { MaybePromise, PairEngine } from "../engine.ts";
import { noSums, type PairSums } from "../inputs/pair-sums.ts";
import { checkRows, meanDifference, type ReadRows, type RowJob } from "../inputs/unpaired.ts";
import type { UnpairedLossOptions, UnpairedLossResult } from "../types.ts";
import { takeShift } from "./pair-loss.ts";
import { createPlanner } from "./plan-once.ts";
import type { Steps } from "./steps.ts";

/** The call `unpairedLoss` of a backend, step by step, once what it was given is read. */
export function* unpairedLoss<S extends MaybePromise>(
  { pairs: engine }: { readonly pairs: PairEngine<S> },
  rows: ReadRows,
  options: UnpairedLossOptions,
): Steps<UnpairedLossResult, S> {
  const plan = planRows(options, engine.check);
  const { job, commit } = shiftRows(checkRows(rows, plan, options, engine.scan));
  const sums = noSums();
  yield engine.compute(job, sums);
  const result = toRowResult(job, sums);
  commit();
  options.onProgress?.(job.pairs, job.pairs);
  return result;
}

const planRows = createPlanner("row", "unpairedLoss, which sees no tokens");

/** The job with the running mean that its batch makes: TRL's BCOTrainer counts each row once. */
export const shiftRows = (job: RowJob) =>
  takeShift(job, () => job.plan.beta * meanDifference(job.policyChosen, job.referenceChosen), job.pairs);

/** What a call returns, from the sums over its rows. */
export function toRowResult(job: RowJob, sums: PairSums): UnpairedLossResult {
  const { plan, losses, gradChosen: grad, chosenRewards: rewards, kl } = job;
  const loss = meanLoss(job, sums.losses);
  const metrics: Record<string, number> = {};
  const { wins: goods, others: bads } = sums;
  const chosen = (plan.beta * sums.chosenRatio) / goods;
  const rejected = (plan.beta * sums.rejectedRatio) / bads;
  // Spelled out: names put together would cost a small call a tenth of its time.
  if (goods > 0) {
    metrics["rewards/chosen"] = chosen;
    metrics["logps/chosen"] = sums.policyChosen / goods;
    metrics["count/chosen"] = goods;
  }
  if (bads > 0) {
    metrics["rewards/rejected"] = rejected;
    metrics["logps/rejected"] = sums.policyRejected / bads;
    metrics["count/rejected"] = bads;
  }
  if (goods > 0 && bads > 0) metrics["rewards/margins"] = chosen - rejected;
  // What each of TRL's two trainers of rows logs of its constant.
  for (const { loss: of, params } of plan.terms) {
    if (!("rewardShift" in of.params)) metrics["kl"] = kl;
    else metrics["delta"] = params[Object.keys(of.params).indexOf("rewardShift")] as number;
  }
  return rewards ? { loss, losses, grad, rewards, metrics } : { loss, losses, grad, metrics };
}

// The mean over the rows whose loss is a number, as TRL's `nanmean` has it; the gradients of these are then those of that mean.
function meanLoss({ pairs, losses, gradChosen }: RowJob, sum: number): number {
  if (!Number.isNaN(sum)) return sum / pairs;
  let [total, count] = [0, 0];
  for (let i = 0; i < pairs; i++) {
    const loss = losses[i] as number;
    if (Number.isNaN(loss)) continue;
    total += loss;
    count++;
  }
  // Losses of both infinities have no mean, though each is a number.
  if (count === 0 || count === pairs) return Number.NaN;
  for (let i = 0; i < pairs; i++) gradChosen[i] = (gradChosen[i] as number) * (pairs / count);
  return total / count;
}

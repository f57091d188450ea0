// What the pair stage sums over a batch, for loss and metrics.

import { logOdds, ownMeans, ownRewards } from "../plan/logged.ts";
import type { PairJob } from "./pairs.ts";

/** Sums over the pairs, in float64; of rows the desirable ones are the chosen, and those without a log-ratio are left out. */
export interface PairSums {
  losses: number;
  policyChosen: number;
  policyRejected: number;
  chosenRatio: number;
  rejectedRatio: number;
  /** Pairs whose chosen log-ratio is the greater; of rows, the desirable ones. */
  wins: number;
  /** Of rows, the undesirable ones. */
  others: number;
  /** ORPO's log-odds ratio, and log σ of it. */
  odds: number;
  oddsRatio: number;
}

/** Sums to add to. */
export const noSums = (): PairSums => ({
  losses: 0,
  policyChosen: 0,
  policyRejected: 0,
  chosenRatio: 0,
  rejectedRatio: 0,
  wins: 0,
  others: 0,
  odds: 0,
  oddsRatio: 0,
});

/** Adds a pair: log-probs of the policy, log-ratios. */
export function addPair(sums: PairSums, pc: number, pr: number, a: number, c: number): void {
  sums.policyChosen += pc;
  sums.policyRejected += pr;
  sums.chosenRatio += a;
  sums.rejectedRatio += c;
  // No branch, which would be as often wrong as right.
  sums.wins += Number(a > c);
}

type Log = (sums: PairSums, i: number, pc: number, pr: number, a: number, c: number) => readonly [number, number];

/**
 * Adds pairs whose losses take log-probs, and gives their rewards in units of β, as src/plan/logged.ts says; undefined for jobs that
 * log what all do. Twin: `logOwn` of src/kernels/pairs.ts, on the kernels.
 */
export function ownLog({ plan, referenceChosen, chosenLengths, rejectedLengths }: PairJob): Log | undefined {
  const argument = referenceChosen ? undefined : plan.argument;
  const { odds } = plan;
  if (!argument && !odds) return undefined;
  const { perToken = false, k = 0 } = argument ?? {};
  return (sums, i, pc, pr, a, c) => {
    const [n, m] = [(chosenLengths?.[i] ?? 1) as number, (rejectedLengths?.[i] ?? 1) as number];
    if (odds) {
      const [o, ratio] = logOdds(pc, pr, n, m);
      sums.odds += o;
      sums.oddsRatio += ratio;
    }
    const [own, other] = perToken ? [n, m] : [1, 1];
    const [, s, t] = argument ? ownMeans(pc, pr, own, other) : [0, pc, pr];
    const [, x, y] = !argument ? [0, a, c] : k === 0 ? [0, s, t] : ownRewards(s, t, 1, 1, k);
    addPair(sums, s, t, x, y);
    return [x, y];
  };
}

/** Adds a row, as the pair that it is: its label stands on the rejected side. Twins: row_stats_f32 in assembly/stats.ts, `widen`. */
export function addRow(sums: PairSums, policy: number, label: number, r: number): void {
  if (Number.isNaN(r)) return;
  if (label > 0) {
    sums.policyChosen += policy;
    sums.chosenRatio += r;
    sums.wins += 1;
  } else {
    sums.policyRejected += policy;
    sums.rejectedRatio += r;
    sums.others += 1;
  }
}

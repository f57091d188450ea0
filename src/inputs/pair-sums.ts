// What the pair stage sums over a batch, for loss and metrics.

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
});

/** Adds a pair: log-probs of the policy, log-ratios. */
export function addPair(sums: PairSums, pc: number, pr: number, a: number, c: number): void {
  sums.policyChosen += pc;
  sums.policyRejected += pr;
  sums.chosenRatio += a;
  sums.rejectedRatio += c;
  sums.wins += a > c ? 1 : 0;
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

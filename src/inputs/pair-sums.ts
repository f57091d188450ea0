// What the pair stage sums over a batch, for loss and metrics.

/** Sums over the pairs, in float64. */
export interface PairSums {
  losses: number;
  policyChosen: number;
  policyRejected: number;
  chosenRatio: number;
  rejectedRatio: number;
  /** Pairs whose chosen log-ratio is the greater. */
  wins: number;
}

/** Sums to add to. */
export const noSums = (): PairSums => ({
  losses: 0,
  policyChosen: 0,
  policyRejected: 0,
  chosenRatio: 0,
  rejectedRatio: 0,
  wins: 0,
});

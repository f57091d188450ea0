// What every candidate of the benchmark computes, so that all can be checked and timed by the same code.

/** Sequence log-probabilities of B pairs, nats, in the caller's own arrays. */
export interface Pairs {
  policyChosen: Float32Array;
  policyRejected: Float32Array;
  referenceChosen: Float32Array;
  referenceRejected: Float32Array;
}

/** Buffers of B numbers that the caller owns. */
export interface Buffers {
  losses: Float32Array;
  gradChosen: Float32Array;
  gradRejected: Float32Array;
}

/** Arrays of `out`, or fresh ones where a library hands those over: it is not made to pay for one more copy. */
export interface Results extends Buffers {
  /** Mean of `losses`. */
  loss: number;
}

/** The sigmoid loss of B pairs with both gradients, as one library computes it. */
export interface Peer {
  name: string;
  run(pairs: Pairs, out: Buffers): Results | Promise<Results>;
}

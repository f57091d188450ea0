// The interface of all candidates, so that the same code checks and times them.

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

/** The arrays of `out`, or new ones where a library returns those, so that it does not pay for another copy. */
export interface Results extends Buffers {
  /** Mean of `losses`. */
  loss: number;
}

/** The sigmoid loss of B pairs with both gradients, as one library computes it. */
export interface Peer {
  name: string;
  run(pairs: Pairs, out: Buffers): Results | Promise<Results>;
}

// From what size on workers are worth asking. measured: docs/laboratory.md, "Pool"; below, the calling thread is done sooner.

export const breakEven = {
  /** Logits that count. */
  logits: 1 << 20,
  /** Products of a linear head, tokens × width × vocabulary: about as long. */
  products: 1 << 24,
  /** Pairs whose inputs and results all lie in shared memory. */
  sharedPairs: 1 << 19,
  /** Pairs that have to be sorted (AOT): one worker, to keep the calling thread free. */
  sortedPairs: 1 << 15,
};

/** Logits of a shard that is copied: 4 MB, 1 to 3 ms. */
export const COPIED_LOGITS = 1 << 20;

/** Logits of a shard that is not: at least what is worth a message, at most what a call may take to be stopped, about 6 ms. */
export const LEAST_LOGITS = 1 << 19;
export const MOST_LOGITS = 1 << 23;

/** Pairs of a shard: fixed, since sums are added shard by shard, so that the number of workers does not change a bit. */
export const SHARD_PAIRS = 1 << 16;

/** Shards of pairs in one message at most: 3 ms, after which a call can be stopped. */
export const MOST_PAIR_SHARDS = 16;

/** Bytes of copied logits that workers may keep from the forward to the backward pass, and of copies' buffers kept for reuse. */
export const KEPT_BYTES = 1 << 27;

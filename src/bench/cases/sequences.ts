// Preference pairs over tokens, and the loss of their log-probs in float64: what cases of logits and of hidden states share.

/** Tokens of a completion, where the rows go into that. */
const LENGTH = 32;
const BETA = 0.1;

interface Tokens {
  readonly pairs: number;
  readonly offsets: Int32Array<ArrayBuffer>;
  readonly targets: Int32Array<ArrayBuffer>;
}

/** Pairs of completions of 32 tokens, the chosen ones first; one pair that has all rows, where they are fewer or another number. */
export function makeTokens(rows: number, vocab: number, random: () => number): Tokens {
  const length = rows % (2 * LENGTH) === 0 ? LENGTH : rows / 2;
  const pairs = rows / (2 * length);
  const targets = Int32Array.from({ length: rows }, () => Math.floor(random() * vocab));
  const offsets = Int32Array.from({ length: 2 * pairs + 1 }, (_, i) => length * i);
  return { pairs, offsets, targets };
}

/** The gradient of the sigmoid loss with respect to each token's log-prob, times `scale`, and the reference that it is with. */
export function solveSequences({ pairs, offsets }: Tokens, logps: Float64Array, scale: number, random: () => number) {
  const sums = Float64Array.from({ length: 2 * pairs }, (_, i) =>
    logps.subarray(offsets[i], offsets[i + 1]).reduce((sum, logp) => sum + logp, 0),
  );
  // Close to the policy, as references are; otherwise the sigmoid saturates and every gradient is 0.
  const reference = sums.map((sum) => sum + 10 * random() - 5);
  const g = new Float64Array(logps.length);
  const ratio = (i: number) => (sums[i] as number) - (reference[i] as number);
  for (let i = 0; i < pairs; i++) {
    const slope = (scale * BETA) / pairs / (1 + Math.exp(BETA * (ratio(i) - ratio(i + pairs))));
    g.fill(-slope, offsets[i], offsets[i + 1]);
    g.fill(slope, offsets[i + pairs], offsets[i + pairs + 1]);
  }
  return { beta: BETA, reference, g };
}

// Batches of pairs for the tests: made from a seed, converted, cut, put in another order.

import type { FloatArray, LengthArray, PairLogps } from "../../src/types.ts";

/** Where the log-probabilities stand. */
export const logpNames = ["policyChosen", "policyRejected", "referenceChosen", "referenceRejected"] as const;
export type LogpName = (typeof logpNames)[number];

export const lengthNames = ["chosenLengths", "rejectedLengths"] as const;

/** Numbers in [0, 1), the same for the same seed (mulberry32). */
export function randomFrom(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A whole batch: every input but the weights. */
export type FullPairs = Required<{ [K in LogpName]: FloatArray }> & {
  chosenLengths: LengthArray;
  rejectedLengths: LengthArray;
  rewardMargin: FloatArray;
};

/** Plausible log-probabilities: policies within `spread` nats of the reference, 1 to 40 tokens, reward margins of ±3; float32. */
export function randomPairs(count: number, seed: number, spread = 20): FullPairs {
  const random = randomFrom(seed);
  const reference = (): Float32Array => Float32Array.from({ length: count }, () => -5 - 120 * random());
  const near = (logps: Float32Array): Float32Array => logps.map((logp) => logp + spread * (random() - 0.5));
  const lengths = (): Float32Array => Float32Array.from({ length: count }, () => 1 + Math.floor(40 * random()));
  const [referenceChosen, referenceRejected] = [reference(), reference()];
  return {
    policyChosen: near(referenceChosen),
    policyRejected: near(referenceRejected),
    referenceChosen,
    referenceRejected,
    chosenLengths: lengths(),
    rejectedLengths: lengths(),
    rewardMargin: Float32Array.from({ length: count }, () => 6 * (random() - 0.5)),
  };
}

/** A reward margin for each of so many pairs. */
export const rewardMargins = (count: number): Float32Array =>
  Float32Array.from({ length: count }, (_, i) => 1.5 - (i % 4));

/** The pairs with each array replaced. */
export function mapPairs(pairs: PairLogps, change: (array: LengthArray, name: string) => LengthArray): PairLogps {
  const entries = Object.entries(pairs).map(([name, array]) => [name, array && change(array as LengthArray, name)]);
  return Object.fromEntries(entries) as PairLogps;
}

/** The same numbers in float64 arrays. */
export const wide = (pairs: PairLogps): PairLogps => mapPairs(pairs, (array) => Float64Array.from(array));

/** Pairs `start` to `end`, in arrays of their own. */
export const part = (pairs: PairLogps, start: number, end: number): PairLogps =>
  mapPairs(pairs, (array) => array.slice(start, end));

/** Pair `order[i]` in place i. */
export const inOrder = (pairs: PairLogps, order: ArrayLike<number>): PairLogps =>
  mapPairs(pairs, (array) => array.map((_, i) => array[order[i] as number] as number));

/** One pair after another, given as [policyChosen, policyRejected, referenceChosen, referenceRejected]. */
export function pairsOf(rows: readonly (readonly [number, number, number, number])[]): PairLogps {
  const column = (k: number): Float64Array => Float64Array.from(rows, (row) => row[k] as number);
  const ones = (): Float64Array => new Float64Array(rows.length).fill(1);
  return {
    policyChosen: column(0),
    policyRejected: column(1),
    referenceChosen: column(2),
    referenceRejected: column(3),
    chosenLengths: ones(),
    rejectedLengths: ones(),
    rewardMargin: ones(),
  };
}

/** The same numbers in float32 arrays. */
export const narrow = (pairs: PairLogps): PairLogps => mapPairs(pairs, (array) => Float32Array.from(array));

/** The pairs with one number changed, in a copy. */
export function withValue(pairs: PairLogps, name: keyof PairLogps, at: number, value: number): PairLogps {
  const array = (pairs[name] as FloatArray).slice();
  array[at] = value;
  return { ...pairs, [name]: array };
}

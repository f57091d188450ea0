// How many times as long one thing takes as another, with an interval that holds on a busy machine.
//
// What else a machine does only ever adds time, often to more than half of the rounds: medians of the same work then differ by tens of
// per cent, lower quartiles by a few. tried, on two cores that seven others used, 24 processes with the same build twice: signed-rank
// and sign tests of the ratios round by round, trimmed means, bootstrapped medians; without a false alarm they found a slow-down of
// 15 % in 4 to 21 of 100 series of 20 rounds, lower quartiles in 42, and of 80 rounds in 24 to 72, lower quartiles in 88.

import { generator } from "./random.ts";
import { quantile } from "./statistics.ts";

/** A ratio of times. */
export interface Ratio {
  readonly log: number;
  /** Standard error of `log`, and its degrees of freedom. */
  readonly error: number;
  readonly freedom: number;
}

const RESAMPLES = 100;

/** Rounds below which a spread says nothing. */
const FEWEST = 5;

/**
 * The lower quartile of `after` over that of `before`. Series that are `paired` were taken in the same rounds and are resampled
 * together, so that what slowed a round counts for neither. undefined where rounds are too few, or a coarse clock saw no time pass in them
 */
export function ratioOf(before: readonly number[], after: readonly number[], paired: boolean): Ratio | undefined {
  const rounds = Math.min(before.length, after.length);
  if (rounds < FEWEST) return undefined;
  const [first, second] = [Float64Array.from(before), Float64Array.from(after)];
  const log = logOf(first, second);
  const random = generator(rounds);
  const [a, b] = [first.slice(), second.slice()];
  let squares = 0;
  for (let k = 0; k < RESAMPLES; k++) {
    for (let i = 0; i < a.length; i++) {
      const place = Math.floor(random() * a.length);
      a[i] = first[place] as number;
      if (paired) b[i] = second[place] as number;
    }
    if (!paired) for (let i = 0; i < b.length; i++) b[i] = second[Math.floor(random() * b.length)] as number;
    squares += (logOf(a, b) - log) ** 2;
  }
  const error = Math.sqrt(squares / RESAMPLES);
  return Number.isFinite(log) && Number.isFinite(error) ? { log, error, freedom: rounds - 1 } : undefined;
}

const logOf = (before: Float64Array, after: Float64Array): number =>
  Math.log(quantile(after.toSorted(), 0.25) / quantile(before.toSorted(), 0.25));

/** The chance that a variable of Student's lies above t ≥ 0: Wallace's approximation, and 26.2.17 of Abramowitz and Stegun. */
export function tail(t: number, freedom: number): number {
  const z = wallace(freedom) * Math.sqrt(freedom * Math.log1p((t * t) / freedom));
  const k = 1 / (1 + 0.2316419 * z);
  const series = 0.31938153 + k * (-0.356563782 + k * (1.781477937 + k * (-1.821255978 + k * 1.330274429)));
  return (Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI)) * k * series;
}

/** The t that a share of `chance` lies above. */
export function tailPoint(chance: number, freedom: number): number {
  let [low, high] = [0, 1e6];
  for (let k = 0; k < 80; k++) {
    const middle = (low + high) / 2;
    if (tail(middle, freedom) > chance) low = middle;
    else high = middle;
  }
  return low;
}

const wallace = (freedom: number): number => (8 * freedom + 1) / (8 * freedom + 3);

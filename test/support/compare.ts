// Comparisons that say which elements are wrong, and by how much.

import type { PairLossResult } from "../../src/types.ts";

/** The vectors of a result that every call gives. */
export const vectorNames = ["losses", "gradChosen", "gradRejected"] as const;

/** At most this many elements are listed. */
const LISTED = 8;

/**
 * The elements of `got` that miss `want`, worst first, as lines to read; none if all is well. `excess` gives the error of an
 * element in units of what is allowed.
 */
export function misses(
  name: string,
  got: ArrayLike<number>,
  want: ArrayLike<number>,
  excess: (got: number, want: number, i: number) => number,
): string[] {
  if (got.length !== want.length) return [`${name}: expected ${want.length} numbers, got ${got.length}`];
  const found: { at: number; by: number }[] = [];
  for (let at = 0; at < want.length; at++) {
    const by = excess(got[at] as number, want[at] as number, at);
    if (!(by <= 1)) found.push({ at, by });
  }
  found.sort((a, b) => b.by - a.by);
  const lines = found
    .slice(0, LISTED)
    .map(({ at, by }) => `${name}[${at}]: got ${got[at]}, want ${want[at]}, ${by.toPrecision(3)} × what is allowed`);
  return found.length > LISTED ? [...lines, `${name}: and ${found.length - LISTED} more`] : lines;
}

/** 0 where two numbers are the same or both NaN, else |got − want| / bound. */
export function excessOver(bound: number, got: number, want: number): number {
  if (got === want || (Number.isNaN(got) && Number.isNaN(want))) return 0;
  const error = Math.abs(got - want);
  return Number.isNaN(error) ? Infinity : error / bound;
}

/** Elements off by more than `relative`·|want| + `absolute`. */
export const missesNear = (
  name: string,
  got: ArrayLike<number>,
  want: ArrayLike<number>,
  relative: number,
  absolute = 0,
): string[] => misses(name, got, want, (g, w) => excessOver(relative * Math.abs(w) + absolute, g, w));

/** Elements that are not the same number; NaN is the same as NaN, 0 as −0. */
export const missesSame = (name: string, got: ArrayLike<number>, want: ArrayLike<number>): string[] =>
  misses(name, got, want, (g, w) => excessOver(0, g, w));

/** Elements with other bits, over all vectors and the loss of two results. NaN counts as one pattern. */
export function missesBits(got: PairLossResult, want: PairLossResult): string[] {
  const other = (g: number, w: number): number => (Object.is(g, w) ? 0 : Infinity);
  return [
    ...misses("loss", [got.loss], [want.loss], other),
    ...vectorNames.flatMap((name) => misses(name, got[name], want[name], other)),
  ];
}

/** The largest magnitude among the finite numbers. */
export function magnitude(values: ArrayLike<number>): number {
  let most = 0;
  for (let i = 0; i < values.length; i++) {
    const size = Math.abs(values[i] as number);
    if (size > most && size < Infinity) most = size;
  }
  return most;
}

/** Σ of the magnitudes over their number. */
export function meanMagnitude(values: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += Math.abs(values[i] as number);
  return sum / values.length;
}

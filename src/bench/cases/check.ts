// How results are compared with float64.

import type { ResultError } from "../types.ts";

/** The worst error so far of one result. */
export interface Worst {
  /** An error within what float32 may lose. Throws    Error, naming the number, where it is beyond, or where there is no number */
  add(name: string, at: number | undefined, got: number | undefined, want: number, scale: number): void;
  readonly error: ResultError;
}

/** Errors relative to a scale that the case gives for each number; more than `most` of it is wrong. */
export function worstOf(of: string, most: number): Worst {
  let value = 0;
  return {
    add(name, at, got, want, scale) {
      const error = Math.abs((got ?? Number.NaN) - want) / scale;
      if (!(error <= most)) throw wrong(at === undefined ? name : `${name}[${at}]`, want, got);
      if (error > value) value = error;
    },
    get error() {
      return { value, of };
    },
  };
}

/** An array of the results. Throws    Error, where it is missing or not of that length */
export function arrayOf(results: Readonly<Record<string, ArrayLike<number> | number>>, name: string, n: number) {
  const array = results[name];
  if (typeof array !== "object") throw new Error(`${name}: expected ${n} numbers, got ${typeof array}`);
  if (array.length !== n) throw new Error(`${name}: expected ${n} numbers, got ${array.length}`);
  return array;
}

export const wrong = (place: string, want: number, got: number | undefined): Error =>
  new Error(`${place}: expected ${want}, got ${got}`);

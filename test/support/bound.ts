// The bound of docs/numerics.md: |got − w| ≤ 1e-5·max(|w|, m) + 6·sensitivity + 2e-7·β/B, where m is the largest magnitude
// of the vector that w stands in (for the loss, the mean of |losses|) and the sensitivity is what the float64 answer moves
// when the inputs move by 2^-22.

import { createJs } from "../../src/index.ts";
import type { PairLogps, PairLossOptions, PairLossResult } from "../../src/types.ts";
import { excessOver, magnitude, meanMagnitude, misses, vectorNames } from "./compare.ts";
import { type LogpName, logpNames, mapPairs, wide } from "./pairs.ts";

type Vector = ArrayLike<number> & Iterable<number>;

/** What a result is compared with. */
export interface Want {
  loss: number;
  losses: Vector;
  gradChosen: Vector;
  gradRejected: Vector;
  metrics?: Record<string, number>;
}

type Call = (pairs: PairLogps) => PairLossResult;

/** The definitions in float64. */
const reference = createJs();

/** The float64 answer, and those for inputs moved by ±2^-22 relative, each input array alone. */
export interface Movements {
  base: PairLossResult;
  moved: PairLossResult[];
}

export function movementsOf(pairs: PairLogps, call: Call): Movements {
  const exact = wide(pairs);
  const move = (name: LogpName, factor: number): PairLogps =>
    mapPairs(exact, (array, other) => (other === name ? array.map((x) => x * factor) : array));
  const given = logpNames.filter((name) => pairs[name] !== undefined);
  const moved = given.flatMap((name) => [call(move(name, 1 + 2 ** -22)), call(move(name, 1 - 2 ** -22))]);
  return { base: call(exact), moved };
}

/** The float64 answer of the `js` backend and what it moves, for the options of one call. */
export const exactly = (pairs: PairLogps, options: PairLossOptions): Movements =>
  movementsOf(pairs, (moved) => reference.pairLoss(moved, options));

// Where the answer or the moved one is infinite there is no distance to measure.
function most(distances: number[]): number {
  let result = 0;
  for (const distance of distances) if (distance > result && distance < Infinity) result = distance;
  return result;
}

/** Beyond this float32 has no numbers; the sign is all that can be asked for. */
const FLOAT32_MAX = 3.4028234663852886e38;

function excess(got: number, want: number, bound: number): number {
  if (Math.abs(want) > FLOAT32_MAX) return Math.sign(got) === Math.sign(want) && Math.abs(got) > 3.4e38 ? 0 : Infinity;
  return excessOver(bound, got, want);
}

/**
 * The numbers of a result that lie outside the bound, as lines to read. A want of NaN has to be NaN, unless `nanIsOpen`:
 * there is no reference value then, and the loss, which it enters, is open with it.
 */
export function missesOfBound(
  got: PairLossResult,
  want: Want,
  { base, moved }: Movements,
  beta: number,
  nanIsOpen = false,
): string[] {
  const floor = (2e-7 * beta) / want.losses.length;
  const open = (value: number): boolean => nanIsOpen && Number.isNaN(value);
  const found: string[] = [];
  for (const name of vectorNames) {
    const scale = magnitude(want[name]);
    const lines = misses(name, got[name], want[name], (g, w, i) => {
      const sensitivity = most(moved.map((other) => Math.abs((other[name][i] as number) - (base[name][i] as number))));
      return open(w) ? 0 : excess(g, w, 1e-5 * Math.max(Math.abs(w), scale) + 6 * sensitivity + floor);
    });
    found.push(...lines);
  }
  const sensitivity = most(moved.map(({ loss }) => Math.abs(loss - base.loss)));
  const scale = Math.max(Math.abs(want.loss), meanMagnitude(want.losses));
  const bound = 1e-5 * (scale < Infinity ? scale : 0) + 6 * sensitivity + floor;
  const lossIsOpen = open(want.loss);
  found.push(...misses("loss", [got.loss], [want.loss], (g, w) => (lossIsOpen ? 0 : excess(g, w, bound))));
  return [...found, ...missesOfMetrics(got, want, { base, moved }, floor)];
}

// Accuracies are counts: inputs that move would excuse any of them at a tie.
function missesOfMetrics(got: PairLossResult, want: Want, { base, moved }: Movements, floor: number): string[] {
  return Object.entries(want.metrics ?? {}).flatMap(([key, value]) => {
    const distances = moved.map(({ metrics }) => Math.abs((metrics[key] as number) - (base.metrics[key] as number)));
    const sensitivity = key === "rewards/accuracies" ? 0 : most(distances);
    const bound = 1e-5 * Math.abs(value) + 6 * sensitivity + floor;
    return misses(key, [got.metrics[key] as number], [value], (g, w) => excess(g, w, bound));
  });
}

// Limits of a loss and its gradients, found by going there.

import type { PairLossResult } from "../../src/types.ts";
import { vectorNames } from "./compare.ts";

type Row = readonly [number, number, number, number];

// Ways to infinity: where two coordinates go there, either may outrun the other, or keep it company; and since the finite
// ones of a row differ by 32, its two log-ratios may be the same all the way.
const paths = [
  [1e8, 1e12, 1e9, 1e13],
  [1e12, 1e8, 1e13, 1e9],
  [1e10, 1e10, 1e10, 1e10],
  [1e10, 1e10 + 32, 1e10, 1e10 + 32],
  [1e10, 1e10 - 32, 1e10, 1e10 - 32],
] as const;

/** Where finite numbers count as on the way to infinity: what linear and quadratic losses make of 1e8 and more. */
const LARGE = 1e5;

/**
 * The limits of losses and gradients of one pair as its infinite log-probs are approached; undefined where the ways there
 * lead to different values.
 */
export function limitsAt(row: Row, call: (row: Row) => PairLossResult): Record<string, number | undefined> {
  const results = paths.map((path) => call(row.map((x, k) => away(x, path[k] as number)) as never as Row));
  return Object.fromEntries(vectorNames.map((name) => [name, common(results.map((r) => r[name][0] as number))]));
}

const away = (x: number, far: number): number => (Number.isFinite(x) ? x : Math.sign(x) * far);

function common(values: number[]): number | undefined {
  const [first = 0] = values;
  if (values.every((value) => Math.abs(value - first) <= 1e-6 * Math.abs(first) + 1e-12)) return first;
  if (values.every((value) => value > LARGE)) return Infinity;
  if (values.every((value) => value < -LARGE)) return -Infinity;
  return undefined;
}

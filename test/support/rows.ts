// Batches of single rows for the tests, and the bound of docs/numerics.md for their results.

import { createJs } from "../../src/index.ts";
import type { FloatArray, RowLogps, UnpairedLossOptions, UnpairedLossResult } from "../../src/types.ts";
import { type Movements, missesOfBound } from "./bound.ts";
import { missesBits } from "./compare.ts";
import { randomFrom } from "./pairs.ts";

/** Where log-probabilities stand. */
export const rowLogpNames = ["policy", "reference", "klPolicy", "klReference"] as const;
type RowLogpName = (typeof rowLogpNames)[number];

/** A whole batch: every input but weights and lengths. */
export type FullRows = RowLogps & Record<RowLogpName, FloatArray> & { desirable: Uint8Array };

/** Plausible log-probabilities of rows, two in three of them desirable, and as many mismatched rows; float32. */
export function randomRows(count: number, seed: number, spread = 20): FullRows {
  const random = randomFrom(seed);
  const reference = (): Float32Array => Float32Array.from({ length: count }, () => -5 - 120 * random());
  const near = (logps: Float32Array): Float32Array => logps.map((logp) => logp + spread * (random() - 0.45));
  const [own, mismatched] = [reference(), reference()];
  const desirable = Uint8Array.from({ length: count }, () => Number(random() < 2 / 3));
  return { policy: near(own), reference: own, desirable, klPolicy: near(mismatched), klReference: mismatched };
}

/** The rows with each array of floats replaced. */
export const mapRows = <R extends RowLogps>(rows: R, change: (array: FloatArray, name: string) => FloatArray): R =>
  Object.fromEntries(
    Object.entries(rows).map(([name, array]) => [
      name,
      array instanceof Float32Array || array instanceof Float64Array ? change(array, name) : array,
    ]),
  ) as R;

export const wideRows = <R extends RowLogps>(rows: R): R => mapRows(rows, (array) => Float64Array.from(array));
export const narrowRows = <R extends RowLogps>(rows: R): R => mapRows(rows, (array) => Float32Array.from(array));

/** The rows with one number changed, in a copy. */
export function withRow<R extends RowLogps>(
  rows: R,
  name: RowLogpName | "rowWeights" | "densityRatio",
  at: number,
  value: number,
): R {
  const array = (rows[name] as FloatArray).slice();
  array[at] = value;
  return { ...rows, [name]: array };
}

/** What a result is compared with. */
export interface WantOfRows {
  loss: number;
  losses: ArrayLike<number> & Iterable<number>;
  grad: ArrayLike<number> & Iterable<number>;
  metrics?: Record<string, number>;
}

const asPairs = <R extends WantOfRows>({ grad, ...rest }: R) => ({ ...rest, gradChosen: grad, gradRejected: grad });

/** The float64 definitions at inputs that are moved by ±2^-22 relative, each array alone. */
export function rowMovements(rows: RowLogps, options: () => UnpairedLossOptions): Movements {
  const js = createJs();
  const exact = wideRows(rows);
  const call = (given: RowLogps) => asPairs(js.unpairedLoss(given, options())) as never;
  const moved = rowLogpNames.flatMap((name) =>
    [1 + 2 ** -22, 1 - 2 ** -22].map((factor) =>
      call(mapRows(exact, (array, other) => (other === name ? array.map((x) => x * factor) : array))),
    ),
  );
  return { base: call(exact), moved };
}

/** What the definitions in float64 give. */
export const wantOf = ({ base }: Movements): WantOfRows => ({ ...base, grad: base.gradChosen });

/** The numbers of two results that differ in a bit. */
export const bitsOff = (got: UnpairedLossResult, want: UnpairedLossResult): string[] =>
  missesBits(asPairs(got) as never, asPairs(want) as never);

/** The numbers of a result that lie outside the bound, as lines to read. */
export const missesOfRows = (got: UnpairedLossResult, want: WantOfRows, movements: Movements, beta: number): string[] =>
  missesOfBound(asPairs(got) as never, asPairs(want), movements, beta);

/** A batch of tokens as single rows: its sequences in the same order, without partners. */
export function asRows<B extends { tokens: { pairs: number } }>(
  batch: B,
): Omit<B, "tokens"> & { tokens: Omit<B["tokens"], "pairs"> & { rows: number } } {
  const { pairs, ...tokens } = batch.tokens;
  return { ...batch, tokens: { ...tokens, rows: 2 * pairs } } as never;
}

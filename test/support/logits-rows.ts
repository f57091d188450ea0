// Rows of logits given one by one, as packed batches: what the tests of extreme rows feed in.

import type { LogitsBatch, LogitsLossResult, PackedTokens } from "../../src/types.ts";
import { misses } from "./compare.ts";
import { normalFrom } from "./logits.ts";

export interface GivenRow {
  logits: ArrayLike<number>;
  id: number;
}

export interface RowBatch extends LogitsBatch {
  tokens: PackedTokens;
  logits: Float32Array;
}

/** Pairs of sequences of rows; all rows as long as the first. */
export function batchOfRows(
  pairs: readonly { chosen: readonly GivenRow[]; rejected: readonly GivenRow[] }[],
): RowBatch {
  const sequences = [...pairs.map(({ chosen }) => chosen), ...pairs.map(({ rejected }) => rejected)];
  const rows = sequences.flat();
  const vocab = rows[0]?.logits.length ?? 1;
  const logits = new Float32Array(rows.length * vocab);
  rows.forEach((row, k) => {
    logits.set(row.logits, k * vocab);
  });
  let end = 0;
  const offsets = Int32Array.from([0, ...sequences.map((sequence) => (end += sequence.length))]);
  return {
    tokens: { pairs: pairs.length, offsets, targets: Int32Array.from(rows, ({ id }) => id) },
    vocab,
    logits,
  };
}

/** Row `row` of a gradient or of logits. */
export const rowOf = (values: ArrayLike<number>, row: number, vocab: number): number[] =>
  Array.from({ length: vocab }, (_, v) => values[row * vocab + v] as number);

/** The number of pairs of `fourPairs`. */
export const PAIRS = 4;

/** Four pairs, each of two chosen and two rejected tokens. */
export function fourPairs(vocab: number): RowBatch {
  const normal = normalFrom(vocab);
  const row = (k: number): GivenRow => ({
    logits: Array.from({ length: vocab }, () => 2 * normal()),
    id: (3 + k) % vocab,
  });
  const two = (): GivenRow[] => [row(0), row(5)];
  return batchOfRows(Array.from({ length: PAIRS }, () => ({ chosen: two(), rejected: two() })));
}

/** The rows of pair i of `fourPairs`, the chosen two first. */
export const rowsOfPair = (i: number): number[] => [2 * i, 2 * i + 1, 2 * PAIRS + 2 * i, 2 * PAIRS + 2 * i + 1];

/** The gradient with respect to the logits of pair i of `fourPairs`. */
export const gradientOfPair = ({ gradLogits }: LogitsLossResult, i: number, vocab: number): number[] =>
  rowsOfPair(i).flatMap((row) => rowOf(gradLogits as Float32Array, row, vocab));

/** All that a result has for pair i of `fourPairs`: loss and gradients, then log-probs. */
export function partOfPair(result: LogitsLossResult, i: number, vocab: number): { slopes: number[]; logps: number[] } {
  const { losses, gradChosen, gradRejected, logps, tokenLogps } = result;
  const slopes = [losses[i], gradChosen[i], gradRejected[i]] as number[];
  return {
    slopes: [...slopes, ...gradientOfPair(result, i, vocab)],
    logps: [logps[i], logps[PAIRS + i], ...rowsOfPair(i).map((row) => tokenLogps[row])] as number[],
  };
}

/** Where the results for the pairs other than `pair` have other bits. */
export function missesOfOthers(got: LogitsLossResult, want: LogitsLossResult, pair: number, vocab: number): string[] {
  const all = (result: LogitsLossResult, i: number): number[] => {
    const { slopes, logps } = partOfPair(result, i, vocab);
    return [...slopes, ...logps];
  };
  return [0, 1, 2, 3]
    .filter((i) => i !== pair)
    .flatMap((i) => misses(`pair ${i}`, all(got, i), all(want, i), (g, w) => (Object.is(g, w) ? 0 : Infinity)));
}

/** The batch with logits of row `row` replaced, by id. */
export function withLogits(batch: RowBatch, row: number, values: Readonly<Record<number, number>>): RowBatch {
  const logits = batch.logits.slice();
  for (const [v, value] of Object.entries(values)) logits[row * batch.vocab + Number(v)] = value;
  return { ...batch, logits };
}

/** A row of one value, by id. */
export const allOf = (vocab: number, value: number): Record<number, number> =>
  Object.fromEntries(Array.from({ length: vocab }, (_, v) => [v, value]));

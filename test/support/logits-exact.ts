// Rows of logits in float64, written down as the definition has it, to compare with.

import { excessOver, misses } from "./compare.ts";

export interface ExactRow {
  max: number;
  /** log Σ e^(x−max) */
  logSum: number;
  /** max + logSum */
  logsumexp: number;
}

/** The vocabulary-wide sums of the row that starts at `from`. */
export function exactRow(logits: Float32Array, from: number, vocab: number): ExactRow {
  let max = -Infinity;
  for (let v = 0; v < vocab; v++) max = Math.max(max, logits[from + v] as number);
  let sum = 0;
  for (let v = 0; v < vocab; v++) sum += Math.exp((logits[from + v] as number) - max);
  const logSum = Math.log(sum);
  return { max, logSum, logsumexp: max + logSum };
}

/** log softmax of entry v: the maximum first, so that logits of 1e4 lose nothing. */
export const exactLogp = (logits: Float32Array, from: number, v: number, { max, logSum }: ExactRow): number =>
  (logits[from + v] as number) - max - logSum;

/** What is allowed of a token's log-prob: 2e-6·max(1, |logp|/8). */
export const tokenBound = (logp: number): number => 2e-6 * Math.max(1, Math.abs(logp) / 8);

/** What is allowed of a row's sum, against |g|: "zero within rounding". */
const ROW_SUM = 5e-7;

/**
 * Where a row of the gradient misses g·(1[v = id] − softmax) by more than 2e-7·|g|, or its sum misses 0; and exact zeros
 * that are none, for logits of −∞.
 */
export function missesOfGradient(
  gradient: ArrayLike<number>,
  logits: Float32Array,
  row: number,
  vocab: number,
  id: number,
  g: number,
): string[] {
  const from = row * vocab;
  const exact = exactRow(logits, from, vocab);
  const want = Float64Array.from({ length: vocab }, (_, v) => {
    const logp = exactLogp(logits, from, v, exact);
    return v === id ? g * -Math.expm1(logp) : -g * Math.exp(logp);
  });
  const got = Float64Array.from({ length: vocab }, (_, v) => gradient[from + v] as number);
  const isMasked = (v: number): boolean => logits[from + v] === -Infinity && v !== id;
  return [
    ...misses(`gradient of row ${row}`, got, want, (x, w, v) => excessOver(isMasked(v) ? 0 : 2e-7 * Math.abs(g), x, w)),
    ...misses(`sum of row ${row}`, [got.reduce((sum, x) => sum + x, 0)], [0], (x, w) =>
      excessOver(ROW_SUM * Math.abs(g), x, w),
    ),
  ];
}

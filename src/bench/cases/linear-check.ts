// The products of linear cases in float64: every row's log-prob; gradients of some rows, and of some ids of the head.

import type { LinearInputs } from "../inputs.ts";
import type { Problem } from "../types.ts";
import { arrayOf, worstOf } from "./check.ts";

type Head = Pick<LinearInputs, "rows" | "width" | "vocab" | "hidden" | "weight" | "ids">;

interface Solution {
  readonly logps: Float64Array;
  /** Log Σ e^logit of each row. */
  readonly logSums: Float64Array;
  readonly g: Float64Array;
}

const CHECKED = 6;
/** Rows whose sums are formed at a time: as many as registers hold. */
const TILE = 4;

/** The logits of all rows for one id after the other, since all of them may be gigabytes. */
export function logSumsOf({ rows, width, vocab, hidden, weight }: Head): Float64Array {
  const wide = Float64Array.from(hidden);
  const id = new Float64Array(width);
  const [most, sums] = [new Float64Array(rows).fill(-Infinity), new Float64Array(rows)];
  const add = (r: number, x: number) => {
    const max = most[r] as number;
    if (x <= max) sums[r] = (sums[r] as number) + Math.exp(x - max);
    else {
      sums[r] = (sums[r] as number) * Math.exp(max - x) + 1;
      most[r] = x;
    }
  };
  const whole = rows - (rows % TILE);
  for (let v = 0; v < vocab; v++) {
    for (let i = 0; i < width; i++) id[i] = weight[v * width + i] as number;
    for (let r = 0; r < whole; r += TILE) {
      let [a, b, c, d] = [0, 0, 0, 0];
      const [p, q, s, t] = [r * width, (r + 1) * width, (r + 2) * width, (r + 3) * width];
      for (let i = 0; i < width; i++) {
        const w = id[i] as number;
        a += w * (wide[p + i] as number);
        b += w * (wide[q + i] as number);
        c += w * (wide[s + i] as number);
        d += w * (wide[t + i] as number);
      }
      add(r, a);
      add(r + 1, b);
      add(r + 2, c);
      add(r + 3, d);
    }
    for (let r = whole; r < rows; r++) add(r, dot(wide, r * width, id, 0, width));
  }
  return sums.map((sum, r) => (most[r] as number) + Math.log(sum));
}

/** The logit of each row's token. */
export const targetLogits = ({ rows, width, hidden, weight, ids }: Head): Float64Array =>
  Float64Array.from({ length: rows }, (_, r) => dot(hidden, r * width, weight, (ids[r] as number) * width, width));

type Numbers = Float32Array | Float64Array;

function dot(x: Numbers, at: number, y: Numbers, from: number, n: number): number {
  let sum = 0;
  for (let i = 0; i < n; i++) sum += (x[at + i] as number) * (y[from + i] as number);
  return sum;
}

/** Evenly spread. */
const places = (n: number): number[] => {
  const count = Math.min(n, CHECKED);
  return Array.from({ length: count }, (_, i) => Math.floor(((i + 0.5) * n) / count));
};

/** Log-probs to 1e-3, since libraries sum in float32; gradients to 1e-4 of the largest of their row. */
export function makeCheck(inputs: LinearInputs, { logps: wanted, logSums, g }: Solution): Problem["check"] {
  const { pass, rows, width, vocab, hidden, weight, ids } = inputs;
  const slope = (r: number, v: number) => {
    const p = Math.exp(dot(hidden, r * width, weight, v * width, width) - (logSums[r] as number));
    return (g[r] as number) * ((v === ids[r] ? 1 : 0) - p);
  };
  /** The sum of `numbers`' rows, each times its slope. */
  const sumOf = (numbers: Float32Array, count: number, slopeOf: (k: number) => number) => {
    const sum = new Float64Array(width);
    for (let k = 0; k < count; k++) {
      const d = slopeOf(k);
      for (let i = 0; i < width; i++) sum[i] = (sum[i] as number) + d * (numbers[k * width + i] as number);
    }
    return sum;
  };
  const isBoth = pass === "both";
  const hiddenRows = isBoth ? places(rows).map((r) => ({ at: r, want: sumOf(weight, vocab, (v) => slope(r, v)) })) : [];
  // Ids that are targets, and others.
  const heads = isBoth ? [...new Set([...places(vocab), ...places(rows).map((row) => ids[row] as number)])] : [];
  const weightRows = heads.map((v) => ({ at: v, want: sumOf(hidden, rows, (r) => slope(r, v)) }));
  return (results) => {
    const worst = worstOf("a token's log-prob, absolute", 1e-3);
    const logps = arrayOf(results, "logps", rows);
    wanted.forEach((want, r) => {
      worst.add("logps", r, logps[r], want, Math.max(1, Math.abs(want) / 8));
    });
    if (!isBoth) return worst.error;
    const compare = (name: string, n: number, all: typeof hiddenRows) => {
      const got = arrayOf(results, name, n * width);
      const errors = worstOf("", 1e-4);
      for (const { at, want } of all) {
        const most = want.reduce((size, x) => Math.max(size, Math.abs(x)), 0);
        want.forEach((x, i) => {
          errors.add(name, at * width + i, got[at * width + i], x, most);
        });
      }
    };
    compare("gradHidden", rows, hiddenRows);
    compare("gradWeight", vocab, weightRows);
    return worst.error;
  };
}

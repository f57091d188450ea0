// The inputs of the benchmark of linear losses, and a check against float64 on some rows and ids, since checking all would
// take minutes.

import type { LinearLossOptions, PackedTokens } from "../../dist/index.js";
import { generator } from "../random.ts";

export interface Shape {
  rows: number;
  width: number;
  vocab: number;
}

export interface Problem {
  shape: Shape;
  /** [R·D] */
  hidden: Float32Array<ArrayBuffer>;
  /** [V·D] */
  weight: Float32Array<ArrayBuffer>;
  /** The token whose log-prob each row gives. */
  ids: Int32Array<ArrayBuffer>;
  tokens: PackedTokens;
}

/** What a candidate returns; gradients may be missing. */
export interface Results {
  logps: ArrayLike<number>;
  gradHidden?: Float32Array | undefined;
  gradWeight?: Float32Array | undefined;
}

/** Tokens of a completion. */
const LENGTH = 32;
const CHECKED = 6;

/** No gradient scale: gradients of so large a batch are small, but that costs no candidate anything. */
export const options: LinearLossOptions = { lossType: "sigmoid", beta: 0.1 };

/** R rows of preference pairs, logits of N(0, 2.5). */
export function makeProblem(shape: Shape): Problem {
  const { rows, width, vocab } = shape;
  const random = generator(rows + width + vocab);
  const numbers = (n: number, deviation: number): Float32Array<ArrayBuffer> => {
    const values = new Float32Array(n);
    for (let i = 0; i < n; i += 2) {
      const radius = deviation * Math.sqrt(-2 * Math.log(1 - random()));
      const angle = 2 * Math.PI * random();
      values[i] = radius * Math.cos(angle);
      values[i + 1] = radius * Math.sin(angle);
    }
    return values;
  };
  const ids = Int32Array.from({ length: rows }, () => Math.floor(random() * vocab));
  const pairs = rows / (2 * LENGTH);
  const offsets = Int32Array.from({ length: 2 * pairs + 1 }, (_, r) => LENGTH * r);
  const hidden = numbers(rows * width, 1);
  const weight = numbers(vocab * width, 2.5 / Math.sqrt(width));
  return { shape, hidden, weight, ids, tokens: { pairs, offsets, targets: ids } };
}

/** The gradient with respect to each row's log-prob, from those of the sequences. */
export const eachRow = (gradChosen: ArrayLike<number>, gradRejected: ArrayLike<number>): Float32Array<ArrayBuffer> =>
  Float32Array.from({ length: LENGTH * 2 * gradChosen.length }, (_, k) => {
    const r = Math.floor(k / LENGTH);
    return (r < gradChosen.length ? gradChosen[r] : gradRejected[r - gradChosen.length]) as number;
  });

/** Log Σ e^logit of a row in float64, and its logits. */
export function solveRow({ shape: { width, vocab }, hidden, weight }: Problem, row: number) {
  const logits = new Float64Array(vocab);
  for (let v = 0; v < vocab; v++) logits[v] = dot(hidden, row * width, weight, v * width, width);
  const max = logits.reduce((most, x) => Math.max(most, x), -Infinity);
  const logSum = max + Math.log(logits.reduce((sum, x) => sum + Math.exp(x - max), 0));
  return { logits, logSum };
}

const dot = (x: Float32Array, at: number, y: Float32Array, from: number, n: number): number => {
  let sum = 0;
  for (let i = 0; i < n; i++) sum += (x[at + i] as number) * (y[from + i] as number);
  return sum;
};

/**
 * Checks log-probs and gradients of some rows and of some ids of the head against float64. For rows that are not checked, the
 * ids use `logSums`, ours. Returns the worst error of a log-prob.
 */
export function makeCheck(problem: Problem, g: Float32Array, logSums: ArrayLike<number>) {
  const { shape, hidden, weight, ids } = problem;
  const { rows, width, vocab } = shape;
  const places = (n: number) => Array.from({ length: CHECKED }, (_, i) => Math.floor(((i + 0.5) * n) / CHECKED));
  const solved = places(rows).map((row) => {
    const { logits, logSum } = solveRow(problem, row);
    const gradient = new Float64Array(width);
    logits.forEach((x, v) => {
      const d = (g[row] as number) * ((v === ids[row] ? 1 : 0) - Math.exp(x - logSum));
      for (let i = 0; i < width; i++) gradient[i] = (gradient[i] as number) + d * (weight[v * width + i] as number);
    });
    return { row, logp: (logits[ids[row] as number] as number) - logSum, logSum, gradient };
  });
  // Ids that are targets, and others.
  const heads = [...places(vocab), ...places(rows).map((row) => ids[row] as number)].map((id) => {
    const gradient = new Float64Array(width);
    for (let k = 0; k < rows; k++) {
      const p = Math.exp(dot(hidden, k * width, weight, id * width, width) - (logSums[k] as number));
      const d = (g[k] as number) * ((ids[k] === id ? 1 : 0) - p);
      for (let i = 0; i < width; i++) gradient[i] = (gradient[i] as number) + d * (hidden[k * width + i] as number);
    }
    return { id, gradient };
  });
  for (const { row, logSum } of solved) expectNear(`our log Σ of row ${row}`, logSums[row] as number, logSum, 1e-5);
  const compare = (name: string, got: Float32Array, at: number, want: Float64Array): void => {
    const most = want.reduce((size, x) => Math.max(size, Math.abs(x)), 0);
    want.forEach((x, i) => {
      expectNear(`${name}[${at * width + i}]`, got[at * width + i] as number, x, 1e-4 * most);
    });
  };
  return (name: string, { logps, gradHidden, gradWeight }: Results): number => {
    let worst = 0;
    for (const { row, logp, gradient } of solved) {
      worst = Math.max(worst, Math.abs((logps[row] as number) - logp));
      expectNear(`${name}: logp ${row}`, logps[row] as number, logp, 1e-3);
      if (gradHidden) compare(`${name}: gradHidden`, gradHidden, row, gradient);
    }
    if (gradWeight) for (const { id, gradient } of heads) compare(`${name}: gradWeight`, gradWeight, id, gradient);
    return worst;
  };
}

function expectNear(what: string, got: number, want: number, within: number): void {
  if (!(Math.abs(got - want) <= within)) throw new Error(`${what}: expected ${want}, got ${got}`);
}

// The inputs of the benchmark of logits, and the expected results in float64.

import type { Floats, LogitOptions, LogitsLossOptions, PackedTokens } from "../../dist/index.js";
import { generator } from "../../src/bench/random.ts";
import { decodeTable, toBf16, toF16 } from "../../src/inputs/floats.ts";

export interface Shape {
  rows: number;
  vocab: number;
}

/** Element types of logits; half-precision types are given as bits. */
export type Type = "f32" | "f16" | "bf16";
export type Numbers = Float32Array | Uint16Array;

/** Ordinary logits; rows whose gradient falls into float32's denormals; half the vocabulary masked. */
export type Values = "ordinary" | "75 to 100 below the maximum" | "half -Infinity";

/** One batch of preference pairs. */
export interface Problem {
  name: string;
  shape: Shape;
  type: Type;
  /** What becomes of the logits first. */
  transform: LogitOptions;
  logits: Numbers;
  /** The token whose log-prob each row gives. */
  ids: Int32Array<ArrayBuffer>;
  tokens: PackedTokens;
  /** The reference's log-prob of each sequence. */
  reference: Float64Array;
  /** The results in float64: log-probs, the gradient with respect to each, the gradient of the logits. */
  logps: Float64Array;
  g: Float64Array;
  gradient: Float64Array;
}

/** Tokens of a completion. */
const LENGTH = 32;
const BETA = 0.1;

/** The loss of the benchmark, scaled as in half-precision training: without the scale, float16 gradients vanish. */
export const options: LogitsLossOptions = { lossType: "sigmoid", beta: BETA, gradScale: 4096 };

/** Makes a batch of R rows: completions of 32 tokens, the chosen ones first. */
export function makeProblem(
  name: string,
  shape: Shape,
  type: Type,
  values: Values,
  transform: LogitOptions = {},
): Problem {
  const { rows, vocab } = shape;
  const pairs = rows / (2 * LENGTH);
  const random = generator(rows + vocab);
  const ids = Int32Array.from({ length: rows }, () => Math.floor(random() * vocab));
  const logits = narrow(makeLogits(shape, values, ids, random), type);
  const offsets = Int32Array.from({ length: 2 * pairs + 1 }, (_, i) => LENGTH * i);
  const problem = { name, shape, type, transform, logits, ids, tokens: { pairs, offsets, targets: ids } };
  return { ...problem, ...solve(problem, random) };
}

/** Logits as a call takes them. */
export function asFloats(type: Type, data: Numbers): Floats {
  if (data instanceof Float32Array) return data;
  return type === "f16" ? { f16: data } : { bf16: data };
}

/** An array of the kind that the type takes. */
export const arrayOf = (type: Type, n: number): Numbers => (type === "f32" ? new Float32Array(n) : new Uint16Array(n));

function makeLogits({ rows, vocab }: Shape, values: Values, ids: Int32Array, random: () => number): Float32Array {
  const logits = new Float32Array(rows * vocab);
  for (let r = 0; r < rows; r++) {
    const row = logits.subarray(r * vocab, (r + 1) * vocab);
    if (values === "75 to 100 below the maximum") {
      for (let v = 0; v < vocab; v++) row[v] = -75 - 25 * random();
      row[((ids[r] as number) + 1) % vocab] = 0;
      continue;
    }
    fillNormal(row, 2.5, random);
    if (values === "ordinary") continue;
    for (let v = 0; v < vocab; v++) if (random() < 0.5 && v !== ids[r]) row[v] = -Infinity;
  }
  return logits;
}

/** Normally distributed numbers, two at a time (Box–Muller). */
function fillNormal(into: Float32Array, deviation: number, random: () => number): void {
  for (let i = 0; i < into.length; i += 2) {
    const radius = deviation * Math.sqrt(-2 * Math.log(1 - random()));
    const angle = 2 * Math.PI * random();
    into[i] = radius * Math.cos(angle);
    into[i + 1] = radius * Math.sin(angle);
  }
}

function narrow(logits: Float32Array, type: Type): Numbers {
  if (type === "f32") return logits;
  const convert = type === "f16" ? toF16 : toBf16;
  const bits = new Uint16Array(logits.length);
  for (let i = 0; i < bits.length; i++) bits[i] = convert(logits[i] as number);
  return bits;
}

/** The numbers that half-precision bits stand for; float32 unchanged. */
function widen(type: Type, data: Numbers): Float32Array {
  if (type === "f32") return data as Float32Array;
  const table = decodeTable(type);
  const wide = new Float32Array(data.length);
  for (let i = 0; i < wide.length; i++) wide[i] = table[data[i] as number] as number;
  return wide;
}

type Unsolved = Omit<Problem, "reference" | "logps" | "g" | "gradient">;

function solve({ shape, type, transform, logits, ids, tokens }: Unsolved, random: () => number) {
  const { rows, vocab } = shape;
  const { pairs } = tokens;
  const { logitScale: scale = 1, logitSoftcap: cap = Infinity } = transform;
  const capped = (z: number) => (cap === Infinity ? z : cap * Math.tanh(z / cap));
  const x = Float64Array.from(widen(type, logits), (logit) => capped(scale * logit));
  const logps = new Float64Array(rows);
  const gradient = new Float64Array(rows * vocab);
  for (let r = 0; r < rows; r++) {
    const from = r * vocab;
    let max = -Infinity;
    for (let at = from; at < from + vocab; at++) max = Math.max(max, x[at] as number);
    let sum = 0;
    for (let at = from; at < from + vocab; at++) sum += gradient[at] = Math.exp((x[at] as number) - max);
    for (let at = from; at < from + vocab; at++) gradient[at] = (gradient[at] as number) / sum;
    logps[r] = (x[from + (ids[r] as number)] as number) - max - Math.log(sum);
  }
  const sums = Float64Array.from({ length: 2 * pairs }, (_, i) =>
    logps.subarray(LENGTH * i, LENGTH * (i + 1)).reduce((sum, logp) => sum + logp, 0),
  );
  // Close to the policy, as references are; otherwise the sigmoid saturates and every gradient is 0.
  const reference = sums.map((sum) => sum + 10 * random() - 5);
  const g = new Float64Array(rows);
  for (let r = 0; r < rows; r++) {
    const i = Math.floor(r / LENGTH) % pairs;
    const ratio = (at: number) => (sums[at] as number) - (reference[at] as number);
    const slope = ((options.gradScale ?? 1) * BETA) / pairs / (1 + Math.exp(BETA * (ratio(i) - ratio(i + pairs))));
    const of = r < rows / 2 ? -slope : slope;
    g[r] = of;
    const row = gradient.subarray(r * vocab, (r + 1) * vocab);
    for (let v = 0; v < vocab; v++) {
      const slope = scale * (1 - ((x[r * vocab + v] as number) / cap) ** 2);
      row[v] = slope * of * ((v === ids[r] ? 1 : 0) - (row[v] as number));
    }
  }
  return { reference, logps, g, gradient };
}

/** Permitted error against float64: of log-probs in nats, of gradients relative to each entry. */
export interface Tolerance {
  logp: number;
  gradient: number;
}

/** What a candidate returns; either may be missing. */
export interface Results {
  logps?: ArrayLike<number> | undefined;
  gradient?: Numbers | undefined;
}

/** The rounding of a gradient to its type: relative, and half of its smallest step. Float32 may flush near-denormals to 0. */
const rounding = { f32: [0, 2 ** -124], f16: [2 ** -11, 2 ** -25], bf16: [2 ** -8, 2 ** -124] } as const;

/** Throws unless log-probs and every gradient entry agree with float64; returns the worst error of a log-prob. */
export function check(name: string, problem: Problem, got: Results, tolerance: Tolerance): number {
  const { shape, type, ids, g } = problem;
  const fail = (what: string, want: number | undefined, value: number | undefined) => {
    throw new Error(`${name}: ${what}: expected ${want}, got ${value}`);
  };
  let worst = 0;
  if (got.logps) {
    if (got.logps.length !== shape.rows) fail("log-probs", shape.rows, got.logps.length);
    problem.logps.forEach((want, r) => {
      const value = got.logps?.[r] as number;
      const error = Math.abs(value - want);
      if (!(error <= tolerance.logp * Math.max(1, Math.abs(want) / 8))) fail(`logp ${r}`, want, value);
      worst = Math.max(worst, error);
    });
  }
  if (!got.gradient) return worst;
  const values = widen(type, got.gradient);
  const wants = problem.gradient;
  if (values.length !== wants.length) fail("gradient", wants.length, values.length);
  const [relative, absolute] = rounding[type];
  for (let r = 0; r < shape.rows; r++) {
    const from = r * shape.vocab;
    const label = from + (ids[r] as number);
    for (let at = from; at < from + shape.vocab; at++) {
      const want = wants[at] as number;
      // 1 - p loses the digits of a small result, but none of g's.
      const size = Math.abs(at === label ? (g[r] as number) : want);
      const error = Math.abs((values[at] as number) - want);
      if (!(error <= (tolerance.gradient + relative) * size + absolute)) fail(`gradient ${at}`, want, values[at]);
    }
  }
  return worst;
}

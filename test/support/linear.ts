// Batches of hidden states and heads for the tests, and what linearLoss must give for them: logitsLoss in float64 on the logits
// written out, and its gradient taken through the head by hand.

import { createJs } from "../../src/index.ts";
import type {
  Floats,
  LinearBatch,
  LinearLossOptions,
  LinearLossResult,
  LogitsLossOptions,
  Lora,
} from "../../src/types.ts";
import { excessOver, magnitude, misses } from "./compare.ts";
import { numbersOf } from "./half.ts";
import { countingRows, normalFrom, type PlainTokens, packTokens, randomLogits } from "./logits.ts";

export interface LinearCase extends LinearBatch {
  tokens: PlainTokens | ReturnType<typeof packTokens>;
  reference: { hidden: Floats; weight: Floats; bias?: Floats | undefined };
  rewardMargin?: Float32Array | undefined;
}

export interface LinearShape {
  pairs: number;
  length: number;
  vocab: number;
  width: number;
  seed: number;
  holes?: number;
  bias?: boolean;
  rank?: number;
  isPacked?: boolean;
}

/** A plausible batch whose logits have a standard deviation of 1.5; the reference is near the policy. */
export function randomLinear(shape: LinearShape): LinearCase {
  const { pairs, length, vocab, width, seed, holes = 0, rank = 0 } = shape;
  const padded = randomLogits({ pairs, length, vocab, seed, holes }).tokens;
  const tokens = shape.isPacked ? packTokens(padded) : padded;
  const positions = shape.isPacked ? countingRows(padded).length : 2 * pairs * length;
  const normal = normalFrom(seed ^ 0x2545f491);
  const numbers = (n: number, spread: number) => Float32Array.from({ length: n }, () => spread * normal());
  const near = (values: Float32Array) => values.map((x) => x + 0.1 * Math.abs(x) * normal());
  const hidden = numbers(positions * width, 1);
  const weight = numbers(vocab * width, 1.5 / Math.sqrt(width));
  const bias = shape.bias ? numbers(vocab, 0.5) : undefined;
  const lora: Lora | undefined =
    rank > 0
      ? { a: numbers(rank * width, 1 / Math.sqrt(width)), b: numbers(vocab * rank, 0.3), rank, scale: 0.75 }
      : undefined;
  const reference = { hidden: near(hidden), weight: near(weight), ...(bias && { bias: near(bias) }) };
  return { tokens, vocab, hiddenSize: width, hidden, weight, bias, lora, reference };
}

type Head = Pick<LinearBatch, "hidden" | "weight" | "bias" | "lora">;

/** weight + scale·b·a */
function wholeWeight({ weight, lora }: Head, width: number): Float64Array {
  const whole = Float64Array.from(numbersOf(weight));
  if (!lora) return whole;
  const { a, b, rank, scale } = lora;
  for (let at = 0; at < whole.length; at++) {
    const [v, i] = [Math.floor(at / width), at % width];
    for (let j = 0; j < rank; j++) {
      whole[at] = (whole[at] as number) + scale * (b[v * rank + j] as number) * (a[j * width + i] as number);
    }
  }
  return whole;
}

/** The logits that a head makes, rounded to float32. */
export function logitsOf(head: Head, vocab: number, width: number): Float32Array {
  const [hidden, weight] = [Float64Array.from(numbersOf(head.hidden)), wholeWeight(head, width)];
  const bias = head.bias && numbersOf(head.bias);
  const logits = new Float32Array((hidden.length / width) * vocab);
  for (let at = 0; at < logits.length; at++) {
    const [k, v] = [Math.floor(at / vocab), at % vocab];
    let sum: number = bias?.[v] ?? 0;
    for (let i = 0; i < width; i++) sum += (hidden[k * width + i] as number) * (weight[v * width + i] as number);
    logits[at] = sum;
  }
  return logits;
}

const js = createJs();
const gradientNames = ["gradHidden", "gradWeight", "gradBias", "gradA", "gradB"] as const;

/** What `linearLoss` must give, but for the rounding of float32. */
export function expectedLinear(call: LinearCase, options: LinearLossOptions = {}) {
  const { tokens, vocab, hiddenSize: width, reference } = call;
  const logits = logitsOf(call, vocab, width);
  const given = { logits: logitsOf(reference, vocab, width) };
  const plain = { ...options, gradType: undefined, accumulate: undefined, out: undefined } as LogitsLossOptions;
  const result = js.logitsLoss({ tokens, vocab, logits, reference: given, rewardMargin: call.rewardMargin }, plain);
  const slopes = result.gradLogits as Float32Array;
  const [hidden, weight] = [numbersOf(call.hidden), wholeWeight(call, width)];
  const [gradHidden, gradWeight] = [new Float64Array(hidden.length), new Float64Array(weight.length)];
  const gradBias = new Float64Array(vocab);
  for (let at = 0; at < slopes.length; at++) {
    const [k, v, g] = [Math.floor(at / vocab) * width, (at % vocab) * width, slopes[at] as number];
    if (g === 0) continue;
    gradBias[at % vocab] = (gradBias[at % vocab] as number) + g;
    for (let i = 0; i < width; i++) {
      gradHidden[k + i] = (gradHidden[k + i] as number) + g * (weight[v + i] as number);
      gradWeight[v + i] = (gradWeight[v + i] as number) + g * (hidden[k + i] as number);
    }
  }
  if (!call.lora) return { result, gradients: { gradHidden, gradWeight, ...(call.bias && { gradBias }) } };
  return { result, gradients: { gradHidden, ...throughLora(call.lora, gradWeight, width) } };
}

function throughLora({ a, b, rank, scale }: Lora, gradWeight: Float64Array, width: number) {
  const [gradA, gradB] = [new Float64Array(a.length), new Float64Array(b.length)];
  for (let at = 0; at < gradWeight.length; at++) {
    const [v, i, g] = [Math.floor(at / width), at % width, scale * (gradWeight[at] as number)];
    for (let j = 0; j < rank; j++) {
      gradA[j * width + i] = (gradA[j * width + i] as number) + g * (b[v * rank + j] as number);
      gradB[v * rank + j] = (gradB[v * rank + j] as number) + g * (a[j * width + i] as number);
    }
  }
  return { gradA, gradB };
}

/** The gradients of a result, as numbers. */
export const gradientsOf = (result: LinearLossResult): Record<string, ArrayLike<number>> =>
  Object.fromEntries(
    gradientNames.flatMap((name) => {
      const floats = result[name];
      return floats ? [[name, numbersOf(floats)]] : [];
    }),
  );

/** Where a result misses: 1e-5 of losses and log-probs, 5e-5 of the largest entry of each gradient. */
export function missesOfLinear(
  got: LinearLossResult,
  { result, gradients }: ReturnType<typeof expectedLinear>,
): string[] {
  const within = (name: string, values: ArrayLike<number>, want: ArrayLike<number>, share: number, least = 0) => {
    const bound = share * Math.max(magnitude(want), least);
    return misses(name, values, want, (g, w) => excessOver(bound, g, w));
  };
  const own = gradientsOf(got);
  const keys = Object.keys(result.metrics);
  const metrics = (of: { metrics: Record<string, number> }) => keys.map((key) => of.metrics[key] as number);
  return [
    ...within("loss", [got.loss], [result.loss], 1e-5, magnitude(result.losses)),
    ...within("losses", got.losses, result.losses, 1e-5),
    ...within("logps", got.logps, result.logps, 1e-6),
    ...within("tokenLogps", got.tokenLogps, result.tokenLogps, 1e-6, 1),
    ...within("logsumexp", got.logsumexp, result.logsumexp, 1e-6, 1),
    ...within(`metrics ${keys}`, metrics(got), metrics(result), 1e-5),
    ...(Object.keys(own).join() === Object.keys(gradients).join() ? [] : [`gradients: got ${Object.keys(own)}`]),
    ...Object.entries(gradients).flatMap(([name, want]) => within(name, own[name] ?? [], want, 5e-5)),
  ];
}

/** Where two results have other bits. */
export function missesOfLinearBits(got: LinearLossResult, want: LinearLossResult): string[] {
  const other = (g: number, w: number): number => (Object.is(g, w) ? 0 : Infinity);
  const [mine, yours] = [gradientsOf(got), gradientsOf(want)];
  return [
    ...misses("loss", [got.loss], [want.loss], other),
    ...(["losses", "logps", "tokenLogps", "logsumexp"] as const).flatMap((name) =>
      misses(name, got[name], want[name], other),
    ),
    ...Object.entries(yours).flatMap(([name, values]) => misses(name, mine[name] ?? [], values, other)),
  ];
}

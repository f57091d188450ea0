// Losses of pairs from sequence log-probabilities.

import type { PairsInputs } from "../inputs.ts";
import { filled, generator } from "../random.ts";
import type { Problem } from "../types.ts";
import { arrayOf, worstOf } from "./check.ts";
import { type Family, streamed } from "./family.ts";

const BETA = 0.1;

/** What a call reads and writes, in bytes a pair: four log-probs, a loss, two gradients; lengths. */
const bytesOf = { sigmoid: 28, ipo: 36 } as const;

/** Operations a pair: log-ratios, metrics and the mean are 12; an exponential 22, a log1p 14, what joins them 6; a square and its slope 8. */
const flopsOf = { sigmoid: 54, ipo: 20 } as const;

export const pairFamilies: readonly Family[] = [
  // With a million, each of ten candidates takes half a second until it is checked: quick runs would come to nothing else.
  family("sigmoid", [8, 1024, 65_536, 1_000_000], [65_536]),
  family("ipo", [65_536], []),
];

function family(lossType: PairsInputs["lossType"], sizes: number[], quick: number[]): Family {
  const list = (all: number[]) => all.map((n) => [n]);
  return {
    name: `pairs/${lossType}`,
    group: "pairs",
    unit: "pair",
    shape: "pairs",
    shapes: list(sizes),
    quick: list(quick),
    make: ([n = 0]) => ({
      units: n,
      work: streamed(n, bytesOf[lossType], flopsOf[lossType]),
      prepare: () => makeProblem(lossType, n),
    }),
  };
}

/**
 * Reference log-probabilities between -350 and -50, the policy's within 20 of them, so that margins have both signs. The margins of the
 * first two pairs exceed ±1000, where an unstable formula overflows.
 */
export function makePairs(n: number): PairsInputs["pairs"] {
  const random = generator(1);
  const fill = (value: (i: number) => number) => filled(n, value);
  const near = (reference: Float32Array) => fill((i) => (reference[i] as number) + 20 * (random() + random() - 1));
  const referenceChosen = fill(() => -50 - 300 * random());
  const referenceRejected = fill(() => -50 - 300 * random());
  const policyChosen = near(referenceChosen);
  const policyRejected = near(referenceRejected);
  policyChosen[0] = -1500;
  if (n > 1) policyRejected[1] = -1500;
  return { policyChosen, policyRejected, referenceChosen, referenceRejected };
}

export function makeProblem(lossType: PairsInputs["lossType"], n: number): Problem & { inputs: PairsInputs } {
  const pairs = makePairs(n);
  const random = generator(2);
  const lengths = () => Int32Array.from({ length: n }, () => 1 + Math.floor(400 * random()));
  const inputs: PairsInputs = {
    kind: "pairs",
    lossType,
    beta: BETA,
    pairs,
    ...(lossType === "ipo" ? { lengths: { chosenLengths: lengths(), rejectedLengths: lengths() } } : {}),
  };
  const wanted = solve(inputs, n);
  return { inputs, check: (results) => check(inputs, n, wanted, results) };
}

/** What float64 makes of each pair: its loss, minus the slope in its margin, and the size that the slope's error is relative to. */
interface Solution {
  readonly losses: Float64Array;
  readonly slopes: Float64Array;
  readonly scales: Float64Array;
  readonly mean: number;
}

function solve({ lossType, beta, pairs, lengths }: PairsInputs, n: number): Solution {
  const { policyChosen, policyRejected, referenceChosen, referenceRejected } = pairs;
  const formula = lossType === "ipo" ? ipo : sigmoid;
  const [losses, slopes, scales] = [new Float64Array(n), new Float64Array(n), new Float64Array(n)];
  let sum = 0;
  for (let i = 0; i < n; i++) {
    const chosen = (policyChosen[i] as number) - (referenceChosen[i] as number);
    const rejected = (policyRejected[i] as number) - (referenceRejected[i] as number);
    const { chosenLengths, rejectedLengths } = lengths ?? {};
    const { loss, slope, scale } = formula(
      chosen / (chosenLengths?.[i] ?? 1),
      rejected / (rejectedLengths?.[i] ?? 1),
      beta,
    );
    losses[i] = loss;
    slopes[i] = slope / n;
    scales[i] = scale / n;
    sum += loss;
  }
  return { losses, slopes, scales, mean: sum / n };
}

/**
 * Losses and gradients to 2e-5 of their scale, since the logarithm of one library is off by 1.2e-5; the mean to 1e-4, which some compute
 * as one running sum in float32.
 */
function check({ lengths }: PairsInputs, n: number, wanted: Solution, results: Parameters<Problem["check"]>[0]) {
  const [losses, gradChosen, gradRejected] = ["losses", "gradChosen", "gradRejected"].map((k) =>
    arrayOf(results, k, n),
  );
  const worst = worstOf("a loss or a gradient, relative to its scale", 2e-5);
  for (let i = 0; i < n; i++) {
    const [loss, slope, scale] = [wanted.losses[i], wanted.slopes[i], wanted.scales[i]] as [number, number, number];
    const [chosen, rejected] = [lengths?.chosenLengths[i] ?? 1, lengths?.rejectedLengths[i] ?? 1];
    worst.add("losses", i, losses?.[i], loss, Math.max(1, loss));
    worst.add("gradChosen", i, gradChosen?.[i], -slope / chosen, scale / chosen);
    worst.add("gradRejected", i, gradRejected?.[i], slope / rejected, scale / rejected);
  }
  worstOf("", 1e-4).add("loss", undefined, results["loss"] as number, wanted.mean, wanted.mean);
  return worst.error;
}

/** A loss of the margin, minus its slope, and the size that the slope's error is relative to. */
function sigmoid(chosen: number, rejected: number, beta: number) {
  const z = beta * (chosen - rejected);
  const loss = Math.max(-z, 0) + Math.log1p(Math.exp(-Math.abs(z)));
  return { loss, slope: beta / (1 + Math.exp(z)), scale: beta };
}

function ipo(chosen: number, rejected: number, beta: number) {
  const off = chosen - rejected - 1 / (2 * beta);
  return { loss: off ** 2, slope: -2 * off, scale: Math.max(1, Math.abs(2 * off)) };
}

// Gradients against central differences of the float64 definition, for every loss in every form.

import { describe, expect, it } from "vitest";
import { createJs } from "../src/index.ts";
import type { FloatArray, PairLogps, PairLossOptions } from "../src/types.ts";
import { missesNear } from "./support/compare.ts";
import { randomPairs, wide, withValue } from "./support/pairs.ts";
import { divergedVariants, isSorted, plainVariants, tunedVariants } from "./support/variants.ts";

const js = createJs();
const STEP = 2 ** -8;

/** dloss / d pairs[name], from the loss at ±STEP and ±2·STEP: the error is of the order of STEP⁴. */
function differences(pairs: PairLogps, name: "policyChosen" | "policyRejected", options: PairLossOptions): number[] {
  return Array.from(pairs[name], (logp, i) => {
    const at = (step: number): number => js.pairLoss(withValue(pairs, name, i, logp + step), options).loss;
    return (8 * (at(STEP) - at(-STEP)) - (at(2 * STEP) - at(-2 * STEP))) / (12 * STEP);
  });
}

function expectDerivatives(pairs: PairLogps, options: PairLossOptions): void {
  const { gradChosen, gradRejected } = js.pairLoss(pairs, options);
  // The gradients are rounded to float32: 6e-8.
  const size = Math.max(...gradChosen.map(Math.abs), ...gradRejected.map(Math.abs));
  const chosen = differences(pairs, "policyChosen", options);
  const rejected = differences(pairs, "policyRejected", options);
  expect(missesNear("gradChosen", gradChosen, chosen, 1e-7, 1e-8 * size)).toEqual([]);
  expect(missesNear("gradRejected", gradRejected, rejected, 1e-7, 1e-8 * size)).toEqual([]);
}

const pairs = wide(randomPairs(7, 11));

describe("gradients are the derivatives of the loss", () => {
  it.each([...plainVariants, ...tunedVariants])("$name", ({ options }) => expectDerivatives(pairs, options));
});

// Scores grow like e^−r: log-ratios of a few nats keep the third derivative small against the step.
const near = wide(randomPairs(7, 12, 4));

describe("gradients are the derivatives of the loss under an f-divergence", () => {
  it.each(divergedVariants)("$name", ({ options }) => expectDerivatives(near, options));
});

describe("gradients stay the derivatives of the loss", () => {
  it.each(plainVariants.filter(({ loss }) => !isSorted(loss)))("$name with pairWeights", ({ options }) => {
    const pairWeights = Float64Array.from(pairs.policyChosen, (_, i) => 0.25 * (i - 2));
    expectDerivatives({ ...pairs, pairWeights }, options);
  });

  it.each(plainVariants)("$name with an empty completion, whose log-prob stays where it is", ({ options }) => {
    const chosenLengths = (pairs.chosenLengths as FloatArray).slice();
    chosenLengths[3] = 0;
    const inputs = { ...pairs, chosenLengths };
    const { gradChosen } = js.pairLoss(inputs, options);
    const want = differences(inputs, "policyChosen", options).map((slope, i) => (i === 3 ? 0 : slope));
    expect(missesNear("gradChosen", gradChosen, want, 1e-7, 1e-9)).toEqual([]);
  });

  it("several losses with weights and gradScale", () => {
    const lossType = ["sigmoid", "ipo", "aot", "sft", "apo_down"];
    const options = { lossType, lossWeights: [0.5, -0.01, 2, 1, 0.75], beta: 0.3, labelSmoothing: 0.1 };
    expectDerivatives(pairs, options);
    const { gradChosen } = js.pairLoss(pairs, { ...options, gradScale: -3 });
    const want = differences(pairs, "policyChosen", options).map((slope) => -3 * slope);
    expect(missesNear("gradChosen", gradChosen, want, 1e-7, 1e-8)).toEqual([]);
  });
});

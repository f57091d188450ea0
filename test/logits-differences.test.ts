// The gradient of every loss with respect to logits against finite differences of the loss, on the backend that computes in
// float64.

import { describe, expect, it } from "vitest";
import { createJs } from "../src/index.ts";
import type { LogitsLossOptions } from "../src/types.ts";
import { excessOver, magnitude, misses } from "./support/compare.ts";
import { countingRows, randomLogits } from "./support/logits.ts";
import { rewardMargins } from "./support/pairs.ts";
import { divergedVariants, plainVariants, tunedVariants } from "./support/variants.ts";

const js = createJs();
// No two log-ratios or margins nearer than 0.3: no step changes an order that a loss sorts by.
const padded = randomLogits({ pairs: 3, length: 6, vocab: 11, seed: 237 });
const { tokens, vocab, reference } = padded;
// Multiples of 1/64, so that steps of powers of two are exact in float32.
const logits = padded.logits.map((x) => Math.round(64 * x) / 64);

/** A few logits of each sequence: of a label and beside it. */
const places = countingRows(tokens)
  .filter(({ sequence }, k, all) => all.findIndex((other) => other.sequence === sequence) >= k - 1)
  .flatMap(({ row, id }) => [row * vocab + id, row * vocab + ((id + 3) % vocab)]);

type Row = readonly [name: string, options: LogitsLossOptions];
const rows: Row[] = [
  ...[...plainVariants, ...tunedVariants, ...divergedVariants].map(({ name, options }): Row => [name, options]),
  ["ldAlpha 0.5", { lossType: "ipo", ldAlpha: 0.5 }],
  ["ldAlpha 0", { lossType: "sigmoid", ldAlpha: 0 }],
  ["MPO", { lossType: ["sigmoid", "bco_pair", "sft"], lossWeights: [0.8, 0.2, 1] }],
  ["referenceFree", { lossType: "sigmoid", referenceFree: true }],
  ["a reward shift", { lossType: "bco_pair", rewardShift: 0.3 }],
];

const rewardMargin = rewardMargins(tokens.pairs);

/** dloss / dlogit by central differences at two steps, extrapolated. */
function slopeAt(at: number, options: LogitsLossOptions): number {
  const lossAt = (step: number): number =>
    js.logitsLoss(
      { tokens, vocab, logits: logits.with(at, (logits[at] as number) + step), reference, rewardMargin },
      options,
    ).loss;
  const central = (step: number): number => (lossAt(step) - lossAt(-step)) / (2 * step);
  return (4 * central(2 ** -7) - central(2 ** -6)) / 3;
}

describe("gradLogits is the slope of the loss", () => {
  it.each(rows)("%s", (_name, options) => {
    const gradient = js.logitsLoss({ tokens, vocab, logits, reference, rewardMargin }, options)
      .gradLogits as Float32Array;
    const got = places.map((at) => gradient[at] as number);
    const want = places.map((at) => slopeAt(at, options));
    const bound = 1e-6 * magnitude(want) + 1e-11;
    expect(magnitude(want)).toBeGreaterThan(0);
    expect(misses("gradLogits", got, want, (g, w) => excessOver(bound, g, w))).toEqual([]);
  });

  it("at the logits of every sequence that has tokens", () => {
    expect(new Set(places.map((at) => Math.floor(at / vocab / tokens.length))).size).toBeGreaterThan(4);
  });
});

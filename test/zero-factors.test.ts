// A factor of exactly 0 switches its term off, against infinities and NaN too: pair weights, loss weights, gradScale, WPO.

import { describe, expect, it } from "vitest";
import type { PairLogps, PairLossOptions, PairLossResult } from "../src/types.ts";
import { onEachBackend } from "./support/backends.ts";
import { misses, vectorNames } from "./support/compare.ts";
import { logpNames, randomPairs, wide, withValue } from "./support/pairs.ts";
import { isLikelihood, isSorted, plainVariants, type Variant, variants } from "./support/variants.ts";

// Five pairs: four in a register and one in the tail.
const COUNT = 5;
const pairs = randomPairs(COUNT, 71, 6);
const wild = [Number.NaN, Infinity, -Infinity];
/** Pairs 1 and 4 with every log-prob of one side at `value`. */
const spoiltBy = (value: number): PairLogps =>
  [1, 4].reduce<PairLogps>((inputs, at) => withValue(inputs, logpNames[at % 2] ?? "policyChosen", at, value), pairs);

const types = [
  ["float32", (p: PairLogps) => p],
  ["float64", wide],
] as const;

const numbers = (result: PairLossResult) => vectorNames.flatMap((name) => Array.from(result[name]));
const isPair = ({ loss }: Variant): boolean => !isSorted(loss) && !isLikelihood(loss);
const same = (got: number, want: number): number => (Object.is(got, want) ? 0 : Infinity);

onEachBackend((backend) => {
  describe.each(types)("%s", (_type, convert) => {
    it.each(variants.filter(isPair))("a pair of weight 0 adds nothing: $name", async ({ options }) => {
      for (const zero of [0, -0]) {
        const weights = Float32Array.of(2, zero, 1, 0.5, zero);
        const clean = await backend.pairLoss(convert({ ...pairs, pairWeights: weights }), options);
        for (const value of wild) {
          const got = await backend.pairLoss(convert({ ...spoiltBy(value), pairWeights: weights }), options);
          for (const name of vectorNames) {
            const want = clean[name].map((x, i) => (weights[i] === 0 ? 0 : x));
            // Gradients of both signs of zero are no gradient.
            const unsigned = got[name].map((x) => x + 0);
            expect(
              misses(
                name,
                unsigned,
                want.map((x) => x + 0),
                same,
              ),
            ).toEqual([]);
          }
          expect(Object.is(got.losses[1], 0)).toBe(true);
          expect(got.loss).toBe(clean.loss);
        }
      }
    });

    it.each(plainVariants)("a loss of weight 0 adds nothing: $name", async ({ id, options }) => {
      for (const value of wild) {
        for (const zero of [0, -0]) {
          const alone = await backend.pairLoss(convert(spoiltBy(value)), { ...options, lossWeights: [zero] });
          expect(numbers(alone).every((x) => x === 0)).toBe(true);
          expect(Object.is(alone.loss, 0)).toBe(true);
          expect(alone.losses.every((x) => Object.is(x, 0))).toBe(true);
        }
        const inputs = convert(withValue(pairs, "policyRejected", 3, value));
        const mixed: PairLossOptions = { lossType: [id, "sft", id], lossWeights: [0, 1, 0] };
        const got = await backend.pairLoss(inputs, mixed);
        const want = await backend.pairLoss(inputs, { lossType: "sft" });
        for (const name of vectorNames) expect(misses(name, got[name], want[name], same)).toEqual([]);
        expect(got.loss).toBe(want.loss);
      }
    });

    it.each(variants)("gradScale 0 leaves no gradient: $name", async ({ options }) => {
      for (const value of [0, ...wild]) {
        const inputs = convert(value === 0 ? pairs : spoiltBy(value));
        const got = await backend.pairLoss(inputs, { ...options, gradScale: 0 });
        const want = await backend.pairLoss(inputs, options);
        expect([...got.gradChosen, ...got.gradRejected].every((x) => x === 0)).toBe(true);
        expect(misses("losses", got.losses, want.losses, same)).toEqual([]);
        expect(got.loss).toBe(want.loss);
      }
    });
  });

  it("a mixture in which every weight is 0 is 0, and its metrics are those of any other", async () => {
    const lossType = ["sft", "sigmoid", "ipo", "aot"];
    for (const value of [-1, ...wild]) {
      const inputs = spoiltBy(value);
      const got = await backend.pairLoss(inputs, { lossType, lossWeights: [0, 0, -0, 0], metrics: "full" });
      const want = await backend.pairLoss(inputs, { lossType: "sigmoid", metrics: "full" });
      expect(numbers(got).every((x) => x === 0)).toBe(true);
      expect(got.loss).toBe(0);
      expect(got.metrics).toEqual(want.metrics);
      expect(got.chosenRewards).toEqual(want.chosenRewards);
    }
  });

  it("sft of no tokens has weight 0", async () => {
    const inputs = { ...pairs, chosenLengths: new Float32Array(COUNT) };
    expect((await backend.pairLoss(inputs, { lossType: "sft" })).loss).toBe(Infinity);
    const options = { lossType: ["sigmoid", "sft"], lossWeights: [1, 0] };
    const got = await backend.pairLoss(inputs, options);
    const want = await backend.pairLoss(inputs, { lossType: "sigmoid" });
    expect(got.loss).toBe(want.loss);
    expect(numbers(got)).toEqual(numbers(want));
    const weightless = await backend.pairLoss({ ...inputs, pairWeights: new Float32Array(COUNT) }, { lossType: "sft" });
    expect(numbers(weightless).every((x) => x === 0)).toBe(true);
  });

  describe("beside tokens", () => {
    const VOCAB = 5;
    // Two pairs, a token for each of the four sequences.
    const tokens = { pairs: 2, offsets: Int32Array.of(0, 1, 2, 3, 4), targets: Int32Array.of(0, 1, 2, 3) };
    const reference = { logps: Float32Array.of(-1, -2, -1, -2) };
    const row = (k: number): number[] => Array.from({ length: VOCAB }, (_, j) => Math.sin(k + 2 * j));
    /** The label of the first pair's chosen sequence has no probability. */
    const logits = Float32Array.from([0, 1, 2, 3].flatMap(row));
    const without = Float32Array.from(logits, (x, i) => (i === 0 ? -Infinity : x));
    const hidden = { tokens, vocab: VOCAB, hiddenSize: 4, reference };
    const head = {
      ...hidden,
      hidden: Float32Array.from([0, 1, 2, 3].flatMap((k) => row(k).slice(0, 4))),
      weight: Float32Array.from({ length: 4 * VOCAB }, (_, i) => Math.cos(i)),
    };

    it("a pair of WPO weight e^−∞ adds nothing, though its loss is infinite", async () => {
      const options = { weighting: "wpo" } as const;
      const got = await backend.logitsLoss({ tokens, vocab: VOCAB, logits: without, reference }, options);
      const clean = await backend.logitsLoss({ tokens, vocab: VOCAB, logits, reference }, options);
      expect(got.logps[0]).toBe(-Infinity);
      expect(Array.from(got.losses)).toEqual([0, clean.losses[1]]);
      expect(got.loss).toBeCloseTo((clean.losses[1] as number) / 2, 6);
      const rows = (values: ArrayLike<number>) =>
        Array.from({ length: 4 }, (_, k) => Array.from(values).slice(k * VOCAB, (k + 1) * VOCAB));
      const [first, second, third, fourth] = rows(got.gradLogits as Float32Array);
      expect([...(first as number[]), ...(third as number[])].every((x) => x === 0)).toBe(true);
      const want = rows(clean.gradLogits as Float32Array);
      expect([second, fourth]).toEqual([want[1], want[3]]);
    });

    it.each([
      ["loss weights 0", { lossType: ["sigmoid", "sft"], lossWeights: [0, -0] }],
      ["gradScale 0", { lossType: ["sigmoid", "sft"], gradScale: 0 }],
    ])("%s leave no gradient", async (_name, options) => {
      const ofLogits = await backend.logitsLoss({ tokens, vocab: VOCAB, logits: without, reference }, options);
      expect((ofLogits.gradLogits as Float32Array).every((x) => x === 0)).toBe(true);
      const ofHidden = await backend.linearLoss(head, options);
      expect((ofHidden.gradHidden as Float32Array).every((x) => x === 0)).toBe(true);
      expect((ofHidden.gradWeight as Float32Array).every((x) => x === 0)).toBe(true);
      if ("lossWeights" in options) expect([ofLogits.loss, ofHidden.loss]).toEqual([0, 0]);
    });
  });
});

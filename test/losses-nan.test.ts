// A NaN stays in its pair: loss and both gradients of that pair are NaN, and every other pair keeps its bits.

import { describe, expect, it } from "vitest";
import { type Column, type PairColumn, pairColumns } from "../src/losses/kinds.ts";
import type { PairLogps, PairLossOptions, PairLossResult } from "../src/types.ts";
import { onEachBackend } from "./support/backends.ts";
import { misses, missesNear, vectorNames } from "./support/compare.ts";
import { randomPairs, wide, withValue } from "./support/pairs.ts";
import { isLikelihood, isSorted, type Variant, variants } from "./support/variants.ts";

// Five pairs: four in a register and one in the tail. The NaN stands in either.
const COUNT = 5;
const spots = [2, 4];
const pairs: PairLogps = randomPairs(COUNT, 21, 6);
const weighted: PairLogps = { ...pairs, pairWeights: Float32Array.of(1, -2, 0.5, 3, 0.25) };

const isOwn = ({ loss }: Variant): boolean => !isSorted(loss) && !isLikelihood(loss);
const own = variants.filter(isOwn);
const all: readonly PairColumn[] = pairColumns
  .filter(({ of }) => of === "policy" || of === "reference")
  .map(({ name }) => name);

/** All vectors NaN at one place, with the bits of `clean` elsewhere. */
function missesAround(at: number, got: PairLossResult, clean: PairLossResult): string[] {
  return vectorNames.flatMap((name) => {
    const want = clean[name].map((value, i) => (i === at ? Number.NaN : value));
    return misses(name, got[name], want, (g, w) => (Object.is(g, w) ? 0 : Infinity));
  });
}

onEachBackend((backend) => {
  describe.each([
    ["float32", (p: PairLogps) => p],
    ["float64", wide],
  ] as const)("a NaN among %s inputs stays in its pair", (_type, convert) => {
    const run = async (inputs: PairLogps, options: PairLossOptions, reads = all): Promise<string[]> => {
      const clean = await backend.pairLoss(convert(inputs), options);
      const isNumber = ({ name, of }: Column): boolean => of !== "lengths" && reads.includes(name as PairColumn);
      const columns = pairColumns.filter(
        (column) => isNumber(column) || (inputs.pairWeights && column.of === "weights"),
      );
      const names = columns.map(({ name }) => name);
      const lines: string[] = [];
      for (const [name, at] of names.flatMap((each) => spots.map((spot) => [each, spot] as const))) {
        const got = await backend.pairLoss(convert(withValue(inputs, name, at, Number.NaN)), options);
        lines.push(...missesAround(at, got, clean).map((line) => `${name}[${at}] NaN: ${line}`));
      }
      return lines;
    };

    it.each(own)("$name", async ({ options, loss }) => expect(await run(pairs, options, loss.reads)).toEqual([]));

    it.each(own)("$name, weighted pairs", async ({ options, loss }) => {
      expect(await run(weighted, options, loss.reads)).toEqual([]);
    });

    it("three losses, a gradient scale", async () => {
      const options = { lossType: ["hinge", "apo_zero", "ipo"], lossWeights: [1, 0, -2], gradScale: 64 };
      expect(await run(weighted, options)).toEqual([]);
    });
  });

  it.each(own)("a NaN in an unused reference does no harm: $name, referenceFree", async ({ options, loss }) => {
    const free = { ...options, referenceFree: loss.reference };
    const clean = await backend.pairLoss(pairs, free);
    for (const inputs of [pairs, wide(pairs)]) {
      const got = await backend.pairLoss(withValue(inputs, "referenceChosen", 2, Number.NaN), free);
      expect(vectorNames.flatMap((name) => missesNear(name, got[name], clean[name], 1e-6))).toEqual([]);
      expect(missesNear("loss", [got.loss], [clean.loss], 1e-6)).toEqual([]);
    }
  });

  it("the loss of a batch with a NaN is NaN", async () => {
    expect((await backend.pairLoss(withValue(pairs, "policyRejected", 1, Number.NaN))).loss).toBeNaN();
  });

  it("a NaN counts as no win", async () => {
    const { metrics } = await backend.pairLoss(withValue(pairs, "policyChosen", 0, Number.NaN));
    const wins = (await backend.pairLoss(pairs)).metrics["rewards/accuracies"] as number;
    const first = (pairs.policyChosen[0] as number) - (pairs.referenceChosen?.[0] as number);
    const other = (pairs.policyRejected[0] as number) - (pairs.referenceRejected?.[0] as number);
    expect(metrics["rewards/accuracies"]).toBeCloseTo(wins - (first > other ? 1 : 0) / COUNT, 6);
    expect(metrics["rewards/chosen"]).toBeNaN();
    expect(metrics["rewards/rejected"]).not.toBeNaN();
  });

  describe("losses that couple the pairs", () => {
    // The sign of a NaN is that of the arithmetic it came from: ∞ − ∞ is negative on x86, positive on ARM.
    const signs: [string, number][] = [
      ["positive", 0x7fc00000],
      ["negative", 0xffc00000],
    ];
    const cases = ["aot", "aot_unpaired"].flatMap((id) => signs.map(([sign, bits]) => ({ id, sign, bits })));

    it.each(cases)(
      "$id sorts a $sign NaN last: one rank of the losses, one pair of the gradients",
      async ({ id, bits }) => {
        const clean = await backend.pairLoss(pairs, { lossType: id });
        expect(clean.losses.every(Number.isFinite)).toBe(true);
        for (const name of ["policyChosen", "policyRejected"] as const) {
          const array = Float32Array.from(pairs[name]);
          new Uint32Array(array.buffer)[2] = bits;
          const got = await backend.pairLoss({ ...pairs, [name]: array }, { lossType: id });
          expect(Array.from(got.losses, Number.isNaN)).toEqual([false, false, false, false, true]);
          expect([...got.gradChosen, ...got.gradRejected].filter(Number.isNaN)).toHaveLength(2);
        }
      },
    );

    it("sft: a NaN makes the loss NaN and the gradient of its pair, not of the others", async () => {
      for (const inputs of [pairs, wide(pairs)]) {
        const got = await backend.pairLoss(withValue(inputs, "policyChosen", 1, Number.NaN), { lossType: "sft" });
        expect(got.losses.every(Number.isNaN)).toBe(true);
        expect(Array.from(got.gradChosen, Number.isNaN)).toEqual([false, true, false, false, false]);
        expect(Array.from(got.gradRejected)).toEqual([0, 0, 0, 0, 0]);
      }
    });

    it.each(["referenceChosen", "referenceRejected", "policyRejected"] as const)(
      "sft does not look at %s",
      async (name) => {
        for (const inputs of [pairs, wide(pairs)]) {
          const clean = await backend.pairLoss(inputs, { lossType: "sft" });
          const got = await backend.pairLoss(withValue(inputs, name, 1, Number.NaN), { lossType: "sft" });
          expect(Array.from(got.gradChosen)).toEqual(Array.from(clean.gradChosen));
          expect(got.loss).toBe(clean.loss);
        }
      },
    );
  });
});

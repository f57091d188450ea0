// A NaN among the logits makes its pair's loss and gradients NaN and leaves the other pairs alone, bit by bit.

import { describe, expect, it } from "vitest";
import type { LogitsLossOptions } from "../src/types.ts";
import { separable } from "./support/arbitraries.ts";
import { onEachBackend } from "./support/backends.ts";
import type { AnyBackend } from "./support/candidate.ts";
import { bitsOf, numbersOf, wrappers } from "./support/half.ts";
import {
  allOf,
  fourPairs,
  gradientOfPair,
  missesOfOthers,
  PAIRS,
  partOfPair,
  type RowBatch,
  rowOf,
  rowsOfPair,
  withLogits,
} from "./support/logits-rows.ts";
import { rewardMargins } from "./support/pairs.ts";
import { ofCompletions } from "./support/variants.ts";

const { NaN: nan } = Number;
const reference = { logps: Float64Array.from({ length: 2 * PAIRS }, (_, i) => -3 - i / 4) };

async function run(backend: AnyBackend, batch: RowBatch, options: LogitsLossOptions = {}) {
  const rewardMargin = rewardMargins(batch.tokens.pairs);
  return backend.logitsLoss({ ...batch, reference, rewardMargin }, { metrics: "full", ...ofCompletions(options) });
}

onEachBackend((backend) => {
  /** Pair `pair` of `batch` is NaN throughout, the others are as in `sound`. */
  async function expectAlone(
    batch: RowBatch,
    sound: RowBatch,
    pair: number,
    options: LogitsLossOptions = {},
    known?: Awaited<ReturnType<typeof run>>,
  ): Promise<void> {
    const [got, want] = [await run(backend, batch, options), known ?? (await run(backend, sound, options))];
    expect(missesOfOthers(got, want, pair, batch.vocab)).toEqual([]);
    expect(partOfPair(got, pair, batch.vocab).slopes.filter((x) => !Number.isNaN(x))).toEqual([]);
    expect(got.loss).toBeNaN();
  }

  describe("a NaN logit makes its pair NaN and no other", () => {
    // Every lane of the vectors and the rest after them.
    it.each([37, 64])("wherever in a row of %d it stands", async (vocab) => {
      const sound = fourPairs(vocab);
      const want = await run(backend, sound, {});
      for (let v = 0; v < vocab; v++) await expectAlone(withLogits(sound, 3, { [v]: nan }), sound, 1, {}, want);
    });

    it("in whichever row of the pair", async () => {
      const sound = fourPairs(21);
      for (const row of rowsOfPair(2)) await expectAlone(withLogits(sound, row, { 7: nan }), sound, 2);
    });

    it.each([0, 4095, 4096, 16383, 16384, 20010])("at %d of a row of several blocks", async (v) => {
      const sound = fourPairs(20011);
      await expectAlone(withLogits(sound, 8, { [v]: nan }), sound, 0);
    });

    it("before, after and beside the largest logits, infinities and nothing but NaN", async () => {
      const sound = fourPairs(40);
      const large = [
        { 0: nan, 1: 90 },
        { 8: 90, 9: nan },
        { 0: 90, 39: nan },
        { 5: nan, 6: Infinity },
      ];
      const masked = [{ 5: -Infinity, 6: nan, 7: -Infinity }, { ...allOf(40, -Infinity), 17: nan }, allOf(40, nan)];
      for (const values of [...large, ...masked]) await expectAlone(withLogits(sound, 5, values), sound, 2);
    });

    it.each(separable)("with %s", async (lossType) => {
      const sound = fourPairs(9);
      await expectAlone(withLogits(sound, 9, { 4: nan }), sound, 0, { lossType });
    });

    it("in the reference's logits", async () => {
      const sound = fourPairs(33);
      const other = { ...sound, logits: fourPairs(33).logits.map((x) => x + 0.25) };
      const call = async ({ logits }: RowBatch) => backend.logitsLoss({ ...sound, reference: { logits } });
      const [want, got] = [await call(other), await call(withLogits(other, 2, { 8: nan }))];
      expect(missesOfOthers(got, want, 1, 33)).toEqual([]);
      expect(partOfPair(got, 1, 33).slopes.filter((x) => !Number.isNaN(x))).toEqual([]);
    });

    it.each(Object.entries(wrappers))("in %s", async (_name, { type, wrap }) => {
      const { tokens, vocab, logits } = fourPairs(27);
      const bits = Uint16Array.from(logits, (x) => bitsOf(type, Math.round(x)));
      bits[2 * vocab + 20] = bitsOf(type, nan);
      for (const gradType of ["same", "f32"] as const) {
        const got = await backend.logitsLoss({ tokens, vocab, logits: wrap(bits), reference }, { gradType });
        const result = { ...got, gradLogits: numbersOf(got.gradLogits) };
        const counts = [0, 1, 2, 3].map((i) => gradientOfPair(result, i, vocab).filter(Number.isNaN).length);
        expect(counts).toEqual([0, 4 * vocab, 0, 0]);
      }
    });
  });

  it("with sft, whose loss is one number for the batch, the gradients of other pairs stay", async () => {
    const sound = fourPairs(17);
    const options = { lossType: "sft" };
    const [got, want] = [
      await run(backend, withLogits(sound, 3, { 2: nan }), options),
      await run(backend, sound, options),
    ];
    for (const i of [0, 2, 3]) expect(gradientOfPair(got, i, 17)).toEqual(gradientOfPair(want, i, 17));
    expect(rowOf(got.gradLogits as Float32Array, 3, 17).every(Number.isNaN)).toBe(true);
    expect(got.loss).toBeNaN();
  });

  it("a NaN in rows that do not count is not read", async () => {
    const inputIds = Int32Array.of(0, 1, 2, 0, 0, 2, 1, 0);
    const tokens = { pairs: 1, length: 4, inputIds, completionMask: Uint8Array.of(0, 0, 1, 0, 0, 1, 1, 0) };
    const logits = Float32Array.from({ length: 8 * 3 }, (_, i) => Math.cos(i));
    const holes = logits.map((x, i) => ([1, 4, 5].includes(Math.floor(i / 3)) ? x : nan));
    const call = async (policy: Float32Array) =>
      backend.logitsLoss({ tokens, vocab: 3, logits: policy, reference: { logits: policy } }, { metrics: "full" });
    expect(await call(holes)).toEqual(await call(logits));
    expect((await call(holes)).loss).toBeCloseTo(Math.LN2, 6);
  });
});

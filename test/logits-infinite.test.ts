// Infinities among the logits: a masked vocabulary is ordinary, +∞ and rows of nothing but −∞ are NaN as in PyTorch, a masked
// label follows IEEE arithmetic (losses.md §2). Other pairs stay as they are, bit by bit.

import { describe, expect, it } from "vitest";
import type { LogitsLossOptions } from "../src/types.ts";
import { onEachBackend } from "./support/backends.ts";
import {
  allOf,
  batchOfRows,
  fourPairs,
  gradientOfPair,
  missesOfOthers,
  PAIRS,
  partOfPair,
  type RowBatch,
  rowOf,
  withLogits,
} from "./support/logits-rows.ts";

const reference = { logps: Float64Array.from({ length: 2 * PAIRS }, (_, i) => -3 - i / 4) };
const labelOf = ({ tokens }: RowBatch, row: number): number => Number(tokens.targets[row]);

onEachBackend((backend) => {
  const run = async (batch: RowBatch, options: LogitsLossOptions = {}) =>
    backend.logitsLoss({ ...batch, reference }, { metrics: "full", ...options });

  async function expectNaN(batch: RowBatch, sound: RowBatch, pair: number): Promise<void> {
    const got = await run(batch);
    expect(missesOfOthers(got, await run(sound), pair, batch.vocab)).toEqual([]);
    expect(partOfPair(got, pair, batch.vocab).slopes.filter((x) => !Number.isNaN(x))).toEqual([]);
  }

  it("+∞, at the label or beside it, makes its pair NaN", async () => {
    const sound = fourPairs(33);
    for (const v of [0, labelOf(sound, 4), 15, 16, 32])
      await expectNaN(withLogits(sound, 4, { [v]: Infinity }), sound, 2);
  });

  it.each([1, 4, 19, 20011])("a row of %d logits −∞ makes its pair NaN", async (vocab) => {
    const sound = fourPairs(vocab);
    await expectNaN(withLogits(sound, 13, allOf(vocab, -Infinity)), sound, 2);
  });

  describe("a label of −∞", () => {
    const vocab = 23;
    const sound = fourPairs(vocab);
    const masked = (row: number) => withLogits(sound, row, { [labelOf(sound, row)]: -Infinity });

    it("on the chosen side: the loss is ∞, the gradient that of a slope of −β/B", async () => {
      const [got, want] = [await run(masked(2), { beta: 0.5 }), await run(sound, { beta: 0.5 })];
      const { tokenLogps, logps, losses, loss, gradChosen, gradRejected } = got;
      expect([tokenLogps[2], logps[1], losses[1], loss]).toEqual([-Infinity, -Infinity, Infinity, Infinity]);
      expect(gradChosen[1]).toBeCloseTo(-0.5 / PAIRS, 6);
      expect(gradRejected[1]).toBeCloseTo(0.5 / PAIRS, 6);
      const row = rowOf(got.gradLogits as Float32Array, 2, vocab);
      expect(row[labelOf(sound, 2)]).toBeCloseTo(-0.5 / PAIRS, 6);
      expect(row.reduce((sum, x) => sum + x, 0)).toBeCloseTo(0, 6);
      expect(missesOfOthers(got, want, 1, vocab)).toEqual([]);
    });

    it("on the rejected side: the loss of the pair is 0 and its gradients are", async () => {
      const got = await run(masked(10));
      expect([got.logps[PAIRS + 1], got.losses[1]]).toEqual([-Infinity, 0]);
      expect(gradientOfPair(got, 1, vocab).filter((x) => x !== 0)).toEqual([]);
      expect(got.loss).toBeGreaterThan(0);
      expect(got.loss).toBeLessThan(10);
      expect(missesOfOthers(got, await run(sound), 1, vocab)).toEqual([]);
    });

    it("leaves the entropy finite", async () => {
      expect((await run(masked(2))).metrics["entropy"]).toBeCloseTo((await run(sound)).metrics["entropy"] ?? 0, 0);
    });

    it("where the slope is infinite, the tail that ldAlpha 0 drops has gradient 0, and not 0·∞", async () => {
      const row = (id: number) => ({ logits: [1, 2, -Infinity, 0.5], id });
      const batch = batchOfRows([{ chosen: [row(2), row(0)], rejected: [row(1)] }]);
      const options: LogitsLossOptions = { lossType: "sppo_hard", ldAlpha: 0 };
      const got = await backend.logitsLoss({ ...batch, reference: { logps: new Float64Array(2) } }, options);
      expect(got.gradChosen[0]).toBe(-Infinity);
      expect(rowOf(got.gradLogits as Float32Array, 1, 4).filter((x) => x !== 0)).toEqual([]);
    });

    it("beyond the shorter completion is dropped by ldAlpha 0, and not 0·∞", async () => {
      const row = (id: number) => ({ logits: [1, 2, -Infinity, 0.5], id });
      const batch = batchOfRows([{ chosen: [row(0), row(2)], rejected: [row(1)] }]);
      const got = await backend.logitsLoss({ ...batch, reference: { logps: new Float64Array(2) } }, { ldAlpha: 0 });
      const want = await backend.logitsLoss(
        { ...batchOfRows([{ chosen: [row(0)], rejected: [row(1)] }]), reference: { logps: new Float64Array(2) } },
        { ldAlpha: 0 },
      );
      expect(got.loss).toBe(want.loss);
      expect(rowOf(got.gradLogits as Float32Array, 0, 4)).toEqual(rowOf(want.gradLogits as Float32Array, 0, 4));
      expect(rowOf(got.gradLogits as Float32Array, 1, 4).filter((x) => x !== 0)).toEqual([]);
    });
  });
});

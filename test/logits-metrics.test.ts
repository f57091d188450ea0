// The metrics of the calls that see logits, by their definitions (losses.md §8), and what asking for them costs and changes.

import { describe, expect, it } from "vitest";
import { onEachBackend } from "./support/backends.ts";
import { missesNear } from "./support/compare.ts";
import { bitsOf, wrappers } from "./support/half.ts";
import { randomLogits } from "./support/logits.ts";
import { missesOfBits } from "./support/logits-results.ts";
import { batchOfRows, type GivenRow } from "./support/logits-rows.ts";

const zeros = { logps: new Float64Array(2) };
const ofPair = ["rewards/chosen", "rewards/rejected", "rewards/accuracies", "rewards/margins", "logps/chosen"];

onEachBackend((backend) => {
  const accuracyOf = async (chosen: readonly GivenRow[], rejected: readonly GivenRow[]) =>
    (await backend.logitsLoss({ ...batchOfRows([{ chosen, rejected }]), reference: zeros })).metrics[
      "mean_token_accuracy"
    ];

  describe("mean_token_accuracy", () => {
    const right = { logits: [0, 3, 1, 2], id: 1 };
    const wrong = { logits: [0, 3, 1, 2], id: 3 };

    it("is the share of chosen tokens whose label has the largest logit; the rejected do not count", async () => {
      expect(await accuracyOf([right, right, wrong, right], [wrong])).toBe(0.75);
      expect(await accuracyOf([wrong], [right, right])).toBe(0);
      expect(await accuracyOf([right], [wrong, wrong])).toBe(1);
    });

    it("is 0 where there is no chosen token", async () => {
      const batch = batchOfRows([{ chosen: [], rejected: [right] }]);
      expect((await backend.logitsLoss({ ...batch, reference: zeros })).metrics["mean_token_accuracy"]).toBe(0);
    });

    it.each([3, 5, 16, 40, 20011])("at ties the first index wins, of %d", async (vocab) => {
      const row = (tied: readonly number[], id: number): GivenRow => {
        const logits = new Float32Array(vocab).fill(-1);
        for (const v of tied) logits[v] = 2.5;
        return { logits, id };
      };
      const tied = [vocab >> 1, vocab - 1];
      expect(await accuracyOf([row(tied, tied[0] as number)], [row(tied, 0)])).toBe(1);
      expect(await accuracyOf([row(tied, tied[1] as number)], [row(tied, 0)])).toBe(0);
      expect(await accuracyOf([row([0, ...tied], 0)], [row(tied, 0)])).toBe(1);
      expect(await accuracyOf([row([0, ...tied], tied[1] as number)], [row(tied, 0)])).toBe(0);
    });

    it("counts zeros of either sign as a tie", async () => {
      expect(await accuracyOf([{ logits: [-1, -0, 0], id: 2 }], [])).toBe(0);
      expect(await accuracyOf([{ logits: [-1, 0, -0], id: 1 }], [])).toBe(1);
      expect(await accuracyOf([{ logits: [-1, 0, -0], id: 2 }], [])).toBe(0);
    });

    it.each(Object.entries(wrappers))("counts zeros of either sign as a tie in %s", async (_name, { type, wrap }) => {
      const of = async (logits: readonly number[], id: number) => {
        const { tokens, vocab } = batchOfRows([{ chosen: [{ logits, id }], rejected: [] }]);
        const bits = Uint16Array.from(logits, (x) => bitsOf(type, x));
        return (await backend.logitsLoss({ tokens, vocab, logits: wrap(bits), reference: zeros })).metrics[
          "mean_token_accuracy"
        ];
      };
      expect([
        await of([-1, -0, 0], 2),
        await of([-1, 0, -0], 1),
        await of([-1, 0, -0], 2),
        await of([-1, 0, -0], 0),
      ]).toEqual([0, 1, 0, 0]);
    });
  });

  it("entropy is the mean over the tokens of both sides, in nats", async () => {
    const even = { logits: [1, 1, 1, 1], id: 0 };
    const half = { logits: [5, 5, -Infinity, -Infinity], id: 1 };
    const sure = { logits: [9, -Infinity, -Infinity, -Infinity], id: 0 };
    const batch = batchOfRows([{ chosen: [even, sure], rejected: [half, half, even] }]);
    const { metrics } = await backend.logitsLoss({ ...batch, reference: zeros }, { metrics: "full" });
    const want = (2 * Math.log(4) + 2 * Math.log(2)) / 5;
    expect(missesNear("entropy", [metrics["entropy"] as number], [want], 1e-6)).toEqual([]);
  });

  it("logits/* are means over tokens of the mean over the vocabulary, each side by itself", async () => {
    const row = (...logits: number[]) => ({ logits, id: 0 });
    const batch = batchOfRows([{ chosen: [row(1, 2, 3), row(4, 5, 9)], rejected: [row(-1, -2, -9)] }]);
    const { metrics } = await backend.logitsLoss({ ...batch, reference: zeros }, { metrics: "full" });
    expect(metrics["logits/chosen"]).toBeCloseTo(4, 6);
    expect(metrics["logits/rejected"]).toBeCloseTo(-4, 6);
  });

  describe("the default metrics", () => {
    const padded = randomLogits({ pairs: 3, length: 6, vocab: 50, seed: 121 });

    it("are a part of the full ones; nothing else changes with them, to rounding", async () => {
      const [basic, full] = [await backend.logitsLoss(padded), await backend.logitsLoss(padded, { metrics: "full" })];
      expect(Object.keys(full.metrics)).toEqual(expect.arrayContaining(Object.keys(basic.metrics)));
      expect(Object.keys(basic.metrics)).toEqual(expect.arrayContaining([...ofPair, "mean_token_accuracy"]));
      const more = ["entropy", "logits/chosen", "logits/rejected", "mean_token_accuracy", "logps/rejected"];
      expect(Object.keys(full.metrics)).toEqual(expect.arrayContaining([...ofPair, ...more]));
      expect([basic.chosenRewards, full.chosenRewards?.length]).toEqual([undefined, 3]);
      for (const [key, value] of Object.entries(basic.metrics)) {
        expect(missesNear(key, [full.metrics[key] as number], [value], 1e-6, 1e-7)).toEqual([]);
      }
      const [gradient, other] = [basic.gradLogits as Float32Array, full.gradLogits as Float32Array];
      expect(missesNear("gradLogits", other, gradient, 1e-5, 1e-8)).toEqual([]);
      expect(missesOfBits(await backend.logitsLoss(padded, { metrics: "basic" }), basic)).toEqual([]);
    });

    it("of sequenceLogps are those of logitsLoss that need no reference", async () => {
      const { logits, tokens, vocab } = padded;
      const got = await backend.sequenceLogps({ logits, tokens, vocab }, { metrics: "full" });
      const { metrics } = await backend.logitsLoss(padded, { metrics: "full" });
      const keys = [
        "logps/chosen",
        "logps/rejected",
        "mean_token_accuracy",
        "entropy",
        "logits/chosen",
        "logits/rejected",
      ];
      expect(Object.keys(got.metrics).sort()).toEqual(keys.toSorted());
      for (const key of keys) {
        expect(missesNear(key, [got.metrics[key] as number], [metrics[key] as number], 1e-6, 1e-9)).toEqual([]);
      }
    });
  });
});

// createRunningMean: δ of bco_pair. TRL's own numbers: golden-bco.test.ts.

import { describe, expect, it } from "vitest";
import { createRunningMean, KindError, ParamError } from "../src/index.ts";
import type { PairLogps, PairLossOptions } from "../src/types.ts";
import { onEachBackend } from "./support/backends.ts";
import { missesBits, missesNear } from "./support/compare.ts";
import { randomPairs, wide } from "./support/pairs.ts";

describe("a running mean", () => {
  it("starts at nothing and counts each batch once", () => {
    const mean = createRunningMean();
    expect([mean.mean, mean.count]).toEqual([0, 0]);
    expect(mean.update(4)).toBe(4);
    expect(mean.update(-2)).toBe(1);
    expect(mean.update(10)).toBe(4);
    expect([mean.mean, mean.count]).toEqual([4, 3]);
  });

  it("is saved as JSON and restored from it", () => {
    const mean = createRunningMean();
    for (const batch of [0.1, 0.7, -3.3]) mean.update(batch);
    const restored = createRunningMean(JSON.parse(JSON.stringify(mean)));
    expect([restored.mean, restored.count]).toEqual([mean.mean, 3]);
    expect(restored.update(0.25)).toBe(mean.update(0.25));
  });

  it("is no view of the state it was restored from", () => {
    const state = { mean: 2, count: 1 };
    createRunningMean(state).update(4);
    expect(state).toEqual({ mean: 2, count: 1 });
  });

  it.each([{}, { mean: 1 }, { mean: "1", count: 1 }, { mean: 1, count: null }, "1", 3])(
    "is not restored from %j",
    (state) => {
      expect(() => createRunningMean(state as never)).toThrow(KindError);
      expect(() => createRunningMean(state as never)).toThrow(
        /^state: expected \{ mean: number, count: number \}, got /,
      );
    },
  );

  it.each([
    [{ mean: Number.NaN, count: 1 }, /^state\.mean: expected a finite number, got NaN$/],
    [{ mean: Infinity, count: 1 }, /^state\.mean: expected a finite number, got Infinity$/],
    [{ mean: 1, count: -1 }, /^state\.count: expected a count of batches, got -1$/],
    [{ mean: 1, count: 0.5 }, /^state\.count: expected a count of batches, got 0\.5$/],
    [{ mean: 1, count: 1, cuont: 2 }, /^state\.cuont: not a part .* did you mean state\.count\?$/],
  ])("is not restored from %j", (state, message) => {
    expect(() => createRunningMean(state)).toThrow(ParamError);
    expect(() => createRunningMean(state)).toThrow(message);
  });
});

const batches = [randomPairs(5, 101), randomPairs(1003, 102), randomPairs(8, 103)];
const BETA = 0.3;

/** β times the mean of all 2B log-ratios. */
function meanReward({ policyChosen, policyRejected, referenceChosen, referenceRejected }: PairLogps): number {
  const sum = (array: ArrayLike<number> = []): number => Array.from(array).reduce((total, x) => total + x, 0);
  const ratios = sum(policyChosen) + sum(policyRejected) - sum(referenceChosen) - sum(referenceRejected);
  return (BETA * ratios) / (2 * policyChosen.length);
}

onEachBackend((backend) => {
  it("is updated once per call, the current batch included, and shifts by the new mean", async () => {
    for (const convert of [(pairs: PairLogps) => pairs, wide]) {
      const rewardShift = createRunningMean();
      let sum = 0;
      for (const [k, pairs] of batches.entries()) {
        const got = await backend.pairLoss(convert(pairs), { lossType: "bco_pair", beta: BETA, rewardShift });
        sum += meanReward(pairs);
        expect(rewardShift.count).toBe(k + 1);
        expect(missesNear("mean", [rewardShift.mean], [sum / (k + 1)], 1e-6, 1e-6)).toEqual([]);
        const plain = { lossType: "bco_pair", beta: BETA, rewardShift: rewardShift.mean };
        expect(missesBits(got, await backend.pairLoss(convert(pairs), plain))).toEqual([]);
      }
    }
  });

  it("is updated once also where the list names bco_pair twice, and with other losses", async () => {
    const rewardShift = createRunningMean();
    const lossType = ["bco_pair", "sigmoid", "bco_pair"];
    const got = await backend.pairLoss(batches[0] as PairLogps, { lossType, beta: BETA, rewardShift });
    expect(rewardShift.count).toBe(1);
    const plain = { lossType, beta: BETA, rewardShift: rewardShift.mean };
    expect(missesBits(got, await backend.pairLoss(batches[0] as PairLogps, plain))).toEqual([]);
  });

  it("goes on from where it was saved", async () => {
    const [first, second] = batches as [PairLogps, PairLogps];
    const options = { lossType: "bco_pair", beta: BETA } as const;
    const whole = createRunningMean();
    await backend.pairLoss(first, { ...options, rewardShift: whole });
    const resumed = createRunningMean(JSON.parse(JSON.stringify(whole)));
    const want = await backend.pairLoss(second, { ...options, rewardShift: whole });
    expect(missesBits(await backend.pairLoss(second, { ...options, rewardShift: resumed }), want)).toEqual([]);
    expect(resumed.toJSON()).toEqual(whole.toJSON());
  });

  describe("is not updated by a refused call:", () => {
    const pairs = batches[0] as PairLogps;
    const refused: [string, PairLogps, PairLossOptions][] = [
      ["an array of another length", { ...pairs, policyRejected: new Float32Array(3) }, {}],
      ["an option out of range", pairs, { beta: 0 }],
      ["an unknown option", pairs, { nosuch: 1 } as PairLossOptions],
      ["a loss that does not use it", pairs, { lossType: "sigmoid" }],
      [
        "a non-finite input under validate",
        { ...pairs, policyChosen: Float32Array.of(1, 2, NaN, 4, 5) },
        { validate: "finite" },
      ],
      ["an `out` of another length", pairs, { out: { losses: new Float32Array(2) } }],
      ["an aborted signal", pairs, { signal: AbortSignal.abort() }],
    ];

    it.each(refused)("%s", async (_what, inputs, options) => {
      const rewardShift = createRunningMean({ mean: 0.5, count: 2 });
      await expect(async () =>
        backend.pairLoss(inputs, { lossType: "bco_pair", rewardShift, ...options }),
      ).rejects.toThrow();
      expect(rewardShift.toJSON()).toEqual({ mean: 0.5, count: 2 });
    });
  });

  it("a number shifts both rewards and keeps no state", async () => {
    const pairs = batches[0] as PairLogps;
    const options = { lossType: "bco_pair", beta: BETA, rewardShift: 0.75 } as const;
    const shifted = await backend.pairLoss(pairs, options);
    expect(missesBits(await backend.pairLoss(pairs, options), shifted)).toEqual([]);
    // y − δ of both rewards: the same as log-ratios lower by δ/β.
    const lower = {
      ...wide(pairs),
      referenceChosen: Float64Array.from(pairs.referenceChosen ?? [], (x) => x + 0.75 / BETA),
    };
    lower.referenceRejected = Float64Array.from(pairs.referenceRejected ?? [], (x) => x + 0.75 / BETA);
    const want = await backend.pairLoss(lower, { lossType: "bco_pair", beta: BETA });
    expect(missesNear("losses", shifted.losses, want.losses, 2e-6, 1e-6)).toEqual([]);
    expect(missesNear("gradChosen", shifted.gradChosen, want.gradChosen, 2e-6, 1e-8)).toEqual([]);
  });
});

// Calls that share a running mean go in call order, though they are made at once: the results of one after the other.

import { describe, expect, it } from "vitest";
import { createRunningMean } from "../../src/index.ts";
import { missesBits } from "../support/compare.ts";
import { randomLogits } from "../support/logits.ts";
import { missesOfBits } from "../support/logits-results.ts";
import { randomPairs } from "../support/pairs.ts";
import { errorOf, poolOf, wasm } from "./support/pools.ts";

const batches = Array.from({ length: 30 }, (_, k) =>
  randomLogits({ pairs: 1 + (k % 5), length: 4, vocab: 9 * k + 2, seed: k }),
);
const batch = batches[7] as (typeof batches)[number];

describe.each(["shared", "transfer"] as const)("memory: %s", (memory) => {
  it("logitsLoss and pairLoss, all at once, as one after the other", async () => {
    const pool = await poolOf({ workers: 3, memory });
    const [mean, wantMean] = [createRunningMean(), createRunningMean()];
    const got = await Promise.all(
      batches.map(
        async (batch, k) =>
          [
            await pool.logitsLoss(batch, { lossType: "bco_pair", rewardShift: mean }),
            await pool.pairLoss(randomPairs(10, k), { lossType: "bco_pair", rewardShift: 1 }),
          ] as const,
      ),
    );
    for (const [k, batch] of batches.entries()) {
      const want = wasm.logitsLoss(batch, { lossType: "bco_pair", rewardShift: wantMean });
      expect(missesOfBits(got[k]?.[0] as typeof want, want)).toEqual([]);
      const plain = wasm.pairLoss(randomPairs(10, k), { lossType: "bco_pair", rewardShift: 1 });
      expect(missesBits(got[k]?.[1] as typeof plain, plain)).toEqual([]);
    }
    expect(mean.toJSON()).toEqual(wantMean.toJSON());
  });

  it("a call that fails among them is left out, and the next ones are not held up", async () => {
    const pool = await poolOf({ memory });
    const [rewardShift, want] = [createRunningMean(), createRunningMean()];
    const options = { lossType: "bco_pair", rewardShift } as const;
    const calls = [
      pool.logitsLoss(batch, options),
      errorOf(pool.logitsLoss({ ...batch, vocab: 1 }, options)),
      errorOf(pool.logitsLoss(batch, { ...options, signal: AbortSignal.abort() })),
      pool.logitsLoss(batch, options),
    ];
    await Promise.all(calls);
    for (let k = 0; k < 2; k++) wasm.logitsLoss(batch, { lossType: "bco_pair", rewardShift: want });
    expect(rewardShift.toJSON()).toEqual(want.toJSON());
  });
});

it("two running means do not wait for each other", async () => {
  const pool = await poolOf();
  const means = [createRunningMean(), createRunningMean()];
  await Promise.all(means.map((rewardShift) => pool.logitsLoss(batch, { lossType: "bco_pair", rewardShift })));
  expect(means.map(({ count }) => count)).toEqual([1, 1]);
  expect(means[0]?.mean).toBe(means[1]?.mean);
});

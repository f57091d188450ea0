// onProgress counts tokens, or pairs: it never goes back, and ends with all of them, once, when the call is done.

import { describe, expect, it, vi } from "vitest";
import { callOf } from "../support/call.ts";
import { errorOf, large, poolOf, small } from "./support/pools.ts";

type Progress = [done: number, total: number][];

function watch(): { seen: Progress; onProgress: (done: number, total: number) => void } {
  const seen: Progress = [];
  return { seen, onProgress: (done, total) => seen.push([done, total]) };
}

function expectSound(seen: Progress, total: number): void {
  expect(seen.map(([, of]) => of)).toEqual(seen.map(() => total));
  const done = seen.map(([each]) => each);
  expect(done).toEqual([...done].sort((a, b) => a - b));
  expect(done.filter((each) => each === total)).toHaveLength(1);
  expect(done.at(-1)).toBe(total);
}

describe.each(["shared", "transfer"] as const)("memory: %s", (memory) => {
  it.each(["logitsLoss", "sequenceLogps"] as const)("%s tells of its shards", async (call) => {
    const pool = await poolOf({ memory });
    const { seen, onProgress } = watch();
    await callOf(pool, call)(large(), { onProgress });
    // 8 sequences of 10 positions, of which 9 predict.
    expectSound(seen, 72);
    expect(seen.length).toBeGreaterThan(3);
  });

  it("a reference's logits are a third of the work", async () => {
    const pool = await poolOf({ memory });
    const { seen, onProgress } = watch();
    const batch = large();
    await pool.logitsLoss({ ...batch, reference: { logits: batch.logits } }, { onProgress });
    expectSound(seen, 72);
  });

  it("pairLoss tells of its pairs", async () => {
    const pool = await poolOf({ memory });
    const { seen, onProgress } = watch();
    const pairs = { policyChosen: new Float32Array(50), policyRejected: new Float32Array(50) };
    await pool.pairLoss(pairs, { referenceFree: true, onProgress });
    expectSound(seen, 50);
  });

  it("a refused call tells nothing", async () => {
    const pool = await poolOf({ memory });
    const onProgress = vi.fn();
    await errorOf(pool.logitsLoss({ ...small, vocab: 3 }, { onProgress }));
    expect(onProgress).not.toHaveBeenCalled();
    await expect(pool.logitsLoss(small, { onProgress: 3 as never })).rejects.toMatchObject({ name: "KindError" });
  });

  it("a callback that throws rejects its own call and no other", async () => {
    const pool = await poolOf({ memory });
    const error = new Error("no more");
    const onProgress = () => {
      throw error;
    };
    const [thrown, sound] = await Promise.all([
      errorOf(pool.logitsLoss(large(), { onProgress })),
      pool.logitsLoss(small),
    ]);
    expect(thrown).toBe(error);
    expect(sound.loss).toBe((await pool.logitsLoss(small)).loss);
  });
});

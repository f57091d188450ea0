// Workers start when there is work for them, no more than it needs, and stay for the next call.

import { describe, expect, it } from "vitest";
import { breakEven } from "../../src/backends/pool/break-even.ts";
import { unrulyWorkers } from "./support/orders.ts";
import { large, poolOf, small } from "./support/pools.ts";

describe("a pool", () => {
  it("starts no worker before there is work", async () => {
    const { workers, createWorker } = unrulyWorkers();
    const pool = await poolOf({ workers: 4, createWorker });
    pool.free(pool.allocate("f32", 16));
    await pool.pairLoss(
      { policyChosen: new Float32Array(2), policyRejected: new Float32Array(2) },
      { referenceFree: true },
    );
    expect(workers).toHaveLength(0);
  });

  it("starts no worker for a call that is refused", async () => {
    const { workers, createWorker } = unrulyWorkers();
    const pool = await poolOf({ createWorker });
    await expect(pool.logitsLoss({ ...small, vocab: 36 })).rejects.toThrow(/^tokens.inputIds/);
    expect(workers).toHaveLength(0);
  });

  it("starts one for a single shard, and uses it again", async () => {
    const { workers, createWorker, received } = unrulyWorkers();
    const pool = await poolOf({ workers: 4, createWorker });
    for (let k = 0; k < 3; k++) await pool.sequenceLogps(small);
    expect(workers).toHaveLength(1);
    expect(received()).toBe(3);
  });

  it("starts as many as were asked for where there is work for all, and never more", async () => {
    const { workers, createWorker } = unrulyWorkers();
    const pool = await poolOf({ workers: 3, createWorker });
    await Promise.all([pool.logitsLoss(large()), pool.logitsLoss(large())]);
    expect(workers).toHaveLength(3);
  });

  it("computes what is below the break-even point on the calling thread", async () => {
    const { workers, createWorker, received } = unrulyWorkers();
    const pool = await poolOf({ createWorker });
    breakEven.logits = 1 << 18;
    await pool.logitsLoss(small);
    breakEven.logits = 0;
    expect(workers).toHaveLength(0);
    await pool.logitsLoss(small);
    expect(received()).toBeGreaterThan(0);
  });
});

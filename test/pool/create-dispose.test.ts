// A hundred pools, made and disposed of, leave no worker and no memory behind.

import { expect, it } from "vitest";
import { createPool } from "../../src/pool.ts";
import { unrulyWorkers } from "./support/orders.ts";
import { small, wasm } from "./support/pools.ts";

const handles = (): number => process.getActiveResourcesInfo().filter((name) => /Worker|MessagePort/.test(name)).length;

it.each(["shared", "transfer"] as const)(
  "100 pools: %s",
  async (memory) => {
    const { workers, createWorker } = unrulyWorkers();
    const before = handles();
    const { loss } = wasm.logitsLoss(small);
    for (let k = 0; k < 100; k++) {
      const pool = await createPool({ workers: 2, memory, relaxed: false, createWorker });
      // Every tenth one works, the others are disposed of unused, or while their workers start.
      if (k % 10 === 0) expect((await pool.logitsLoss(small)).loss).toBe(loss);
      if (k % 10 === 1) pool.logitsLoss(small).catch(() => {});
      await pool.dispose();
    }
    expect(workers.length).toBeGreaterThanOrEqual(10);
    expect(workers.filter(({ threadId }) => threadId !== -1)).toEqual([]);
    await expect.poll(handles, { timeout: 20_000 }).toBeLessThanOrEqual(before);
  },
  60_000,
);

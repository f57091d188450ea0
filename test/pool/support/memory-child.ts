// A process of its own for memory.test.ts, run with --expose-gc: what 10,000 small calls through workers leave behind.

import { setImmediate } from "node:timers/promises";
import { breakEven } from "../../../src/backends/pool/break-even.ts";
import { createPool } from "../../../src/pool.ts";
import { randomLogits } from "../../support/logits.ts";
import { randomPairs } from "../../support/pairs.ts";
import { shared } from "../../support/shared-arrays.ts";

/** Bytes that the calls added. */
export interface Growth {
  heap: number;
  external: number;
  resident: number;
  /** Of the memory that workers share. */
  shared: number;
}

Object.assign(breakEven, { logits: 0, sharedPairs: 1, sortedPairs: 1 });
const memory = process.argv[2] as "shared" | "transfer";
const { gc } = globalThis as unknown as { gc: () => void };

const pool = await createPool({ workers: 2, memory });
const batch = randomLogits({ pairs: 2, length: 5, vocab: 300, seed: 1 });
const pairs = randomPairs(20, 2);
const given = [batch, shared(batch)] as const;

const run = async (calls: number): Promise<void> => {
  for (let k = 0; k < calls; k += 20) {
    await Promise.all(
      Array.from({ length: 20 }, (_, i): Promise<unknown> => {
        const { signal } = new AbortController();
        if (i % 4 === 0) return pool.pairLoss(pairs, { lossType: "aot", signal });
        if (i % 4 === 1) return pool.sequenceLogps(batch, { signal });
        if (i % 4 === 2) return pool.logitsLoss({ ...batch, vocab: 299 }, { signal }).catch(() => {});
        return pool.logitsLoss(given[k % 40 ? 0 : 1], { signal });
      }),
    );
  }
};

async function used(): Promise<NodeJS.MemoryUsage> {
  for (let k = 0; k < 5; k++) {
    gc();
    await setImmediate();
  }
  return process.memoryUsage();
}

const sharedBytes = (): number => {
  const array = pool.allocate("u8", 1);
  pool.free(array);
  return array.buffer.byteLength;
};

await run(10_000);
const bytes = sharedBytes();
const before = await used();
await run(10_000);
const after = await used();
const growth: Growth = {
  heap: after.heapUsed - before.heapUsed,
  external: after.external - before.external,
  resident: after.rss - before.rss,
  shared: sharedBytes() - bytes,
};
console.log(JSON.stringify(growth));

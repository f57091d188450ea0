// A process of its own for exits-by-itself.test.ts: ends in one of several states, and never calls process.exit.

import { breakEven } from "../../../src/backends/pool/break-even.ts";
import { createPool } from "../../../src/pool.ts";
import { randomLogits } from "../../support/logits.ts";

const small = randomLogits({ pairs: 1, length: 4, vocab: 50, seed: 1 });

breakEven.logits = 0;
const pool = await createPool({ workers: 2, memory: process.argv[3] as "shared" | "transfer" });
const ends: Record<string, () => unknown> = {
  unused: () => {},
  idle: () => pool.logitsLoss(small),
  disposed: async () => {
    await pool.logitsLoss(small);
    await pool.dispose();
  },
  // The process stays for the answer.
  working: () => void pool.logitsLoss(small).then(() => console.log("answered")),
  aborted: async () => {
    const controller = new AbortController();
    const call = pool.logitsLoss(small, { signal: controller.signal });
    controller.abort();
    await call.catch(() => {});
  },
};
await ends[process.argv[2] as string]?.();
console.log("done");

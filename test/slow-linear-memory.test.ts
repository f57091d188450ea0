// 2,048 tokens of a model with 896 hidden numbers and 151,936 ids, 1.25 GB of logits: what the call takes beyond weights, hidden
// states and their gradients. One to two minutes, 1.2 GB.

import { expect, it } from "vitest";
import { linearMemory } from "./support/linear-memory.ts";

it(
  "2048 × 896 × 151936 runs in less than 60 MB",
  () => {
    const { buffers, resident } = linearMemory({ backend: "wasm", rows: 2048, width: 896, vocab: 151_936, calls: 0 });
    expect(buffers).toBeLessThan(60e6);
    if (resident !== undefined) expect(resident).toBeLessThan(60e6);
  },
  20 * 60_000,
);

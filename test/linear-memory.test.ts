// Memory of linearLoss beyond head, hidden states and gradients, which does not depend on the vocabulary where logits are not
// kept, and of many calls: measured in a process of its own for each backend.

import { describe, expect, it } from "vitest";
import { hasSimd } from "../src/kernels/features.ts";
import { linearMemory } from "./support/linear-memory.ts";

const MB = 2 ** 20;

// Logits of 4 and 72 MB. The js backend keeps none; wasm keeps up to 64 MB of them.
describe.each([
  ["js", 16_000],
  ["wasm", 280_000],
])("%s", (backend, vocabulary) => {
  it.skipIf(backend === "wasm" && !hasSimd())(
    "a call takes a few MB, whatever the vocabulary; 20 calls leave nothing behind",
    () => {
      const [small, large] = [2_000, vocabulary].map((vocab) =>
        linearMemory({ backend, rows: 64, width: 32, vocab, calls: vocab > 2_000 ? 0 : 20 }),
      );
      expect(small?.kept).toBeLessThan(MB / 2);
      for (const report of [small, large]) expect(report?.buffers).toBeLessThan(2 * MB);
    },
    60_000,
  );
});

// Engines that cannot give a buffer back leave it to the collector.
it.skipIf(!hasSimd() || !("transfer" in ArrayBuffer.prototype))(
  "72 MB of logits that wasm may keep are held during the call, and given back when it ends",
  () => {
    const task = { backend: "wasm", rows: 64, width: 32, vocab: 280_000, calls: 1 };
    const { buffers, resident, kept } = linearMemory({ ...task, keep: 2 ** 30 });
    if (resident !== undefined) expect(resident).toBeGreaterThan(60 * MB);
    expect(buffers).toBeLessThan(2 * MB);
    expect(kept).toBeLessThan(MB);
    // No room for any of the eight shards.
    const none = linearMemory({ ...task, keep: 9e6 - 1 });
    if (none.resident !== undefined) expect(none.resident).toBeLessThan(30 * MB);
  },
  60_000,
);

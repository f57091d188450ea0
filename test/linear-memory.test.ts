// Memory of linearLoss beyond head, hidden states and gradients, which does not depend on the vocabulary, and of many calls:
// measured in a process of its own for each backend.

import { describe, expect, it } from "vitest";
import { hasSimd } from "../src/wasm/load.ts";
import { linearMemory } from "./support/linear-memory.ts";

const MB = 2 ** 20;

describe.each(["js", "wasm"])("%s", (backend) => {
  it.skipIf(backend === "wasm" && !hasSimd())(
    "a call takes a few MB, whatever the vocabulary; 20 calls leave nothing behind",
    () => {
      const [small, large] = [2_000, 16_000].map((vocab) =>
        linearMemory({ backend, rows: 64, width: 32, vocab, calls: vocab > 2_000 ? 0 : 20 }),
      );
      expect(small?.kept).toBeLessThan(MB / 2);
      // The logits would take 4 MB.
      for (const report of [small, large]) expect(report?.buffers).toBeLessThan(2 * MB);
    },
    60_000,
  );
});

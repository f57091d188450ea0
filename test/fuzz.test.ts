// Hostile calls of every public call, as test/support/fuzz.ts judges them; test/slow-fuzz.test.ts makes 60,000 of them.

import { expect, it } from "vitest";
import { fuzzers } from "./support/fuzz-targets.ts";

const SEED = 20261129;

it.each(fuzzers)(
  "$name: refused with an error of ours, nothing written; or answered, and as good as before",
  async ({ name, share, run }) => {
    const calls = Math.round(1500 * share);
    const { wrong, refused } = await run(SEED, 0, calls);
    expect(wrong, `to look at call N alone: node test/support/fuzz-one.ts "${name}" ${SEED} N`).toEqual([]);
    // Both ways are tested.
    expect(refused).toBeGreaterThan(calls / 2);
    expect(refused).toBeLessThan(calls);
  },
);

// 60,000 hostile calls, over every public call and backend, as test/support/fuzz.ts judges them.

import { expect, it, vi } from "vitest";
import { fuzzers } from "./support/fuzz-targets.ts";

vi.setConfig({ testTimeout: 3_600_000 });

const SEED = 11;
const CALLS = 60_000;

const shares = fuzzers.reduce((sum, { share }) => sum + share, 0);

it.each(fuzzers)("$name", async ({ name, share, run }) => {
  const calls = Math.ceil((CALLS * share) / shares);
  const { wrong, refused } = await run(SEED, 0, calls);
  console.log(`${name}: ${calls} calls, ${refused} refused`);
  expect(wrong, `to look at call N alone: node test/support/fuzz-one.ts "${name}" ${SEED} N`).toEqual([]);
});

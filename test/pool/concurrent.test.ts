// Calls at the same time do not mix: each has its own result.

import { expect, it } from "vitest";
import type { LogitsLossOptions } from "../../src/types.ts";
import { missesBits } from "../support/compare.ts";
import { randomLogits } from "../support/logits.ts";
import { missesOfBits } from "../support/logits-results.ts";
import { randomPairs } from "../support/pairs.ts";
import { shared } from "../support/shared-arrays.ts";
import { large, poolOf, wasm } from "./support/pools.ts";

const batches = Array.from({ length: 20 }, (_, k) =>
  randomLogits({ pairs: 1 + (k % 4), length: 3 + (k % 5), vocab: 5 + 13 * k, seed: k }),
);
const optionsOf = (k: number): LogitsLossOptions => ({
  lossType: ["sigmoid", "ipo", "hinge"][k % 3] as string,
  gradScale: 1 + k,
});

it.each(["shared", "transfer"] as const)(
  "1,000 calls at once, of every kind, are all right: %s",
  async (memory) => {
    const pool = await poolOf({ workers: 3, memory });
    const calls = Array.from({ length: 1000 }, async (_, k): Promise<string[]> => {
      const batch = batches[k % batches.length] as (typeof batches)[number];
      const given = k % 2 ? batch : shared(batch);
      if (k % 5 === 0) {
        const got = await pool.sequenceLogps(given);
        return missesOf(got.tokenLogps, wasm.sequenceLogps(batch).tokenLogps);
      }
      if (k % 5 === 1) {
        const pairs = randomPairs(1 + (k % 50), k);
        return missesBits(await pool.pairLoss(pairs, { lossType: "aot" }), wasm.pairLoss(pairs, { lossType: "aot" }));
      }
      const inPlace = k % 5 === 2;
      const got = await pool.logitsLoss(inPlace ? structuredClone(batch) : given, { ...optionsOf(k), inPlace });
      return missesOfBits(got, wasm.logitsLoss(batch, optionsOf(k)));
    });
    expect((await Promise.all(calls)).flat()).toEqual([]);
  },
  60_000,
);

it("large calls at once share the workers", async () => {
  const pool = await poolOf({ workers: 2 });
  const batch = large();
  const want = wasm.logitsLoss(batch);
  const results = await Promise.all(Array.from({ length: 4 }, () => pool.logitsLoss(batch)));
  for (const got of results) expect(missesOfBits(got, want)).toEqual([]);
}, 30_000);

const missesOf = (got: ArrayLike<number>, want: ArrayLike<number>): string[] =>
  Array.from(want).flatMap((x, i) => (Object.is(x, got[i]) ? [] : [`[${i}]: got ${got[i]}, want ${x}`]));

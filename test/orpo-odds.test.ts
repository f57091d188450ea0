// What ORPO logs of its odds: from its losses where these have the digits, from the log-probs everywhere else, and the same in both.

import { expect, it } from "vitest";
import { createJs } from "../src/index.ts";
import type { PairLossOptions } from "../src/types.ts";
import { onEachBackend } from "./support/backends.ts";
import { type FullPairs, mapPairs, narrow, part, randomPairs } from "./support/pairs.ts";

const js = createJs();
const random = randomPairs(4099, 91);
/** A few nats per token. */
const means = mapPairs(random, (array, name) =>
  name.startsWith("policy") ? array.map((x) => x / 4) : array,
) as FullPairs;
const withFirst = (policyChosen: number, policyRejected: number): FullPairs =>
  mapPairs(means, (array, name) => {
    const first = { policyChosen, policyRejected }[name as string];
    return first === undefined ? array : array.map((x, i) => (i === 5 ? first : x));
  }) as FullPairs;

const batches: Record<string, FullPairs> = {
  "4099 pairs": means,
  ...Object.fromEntries([1, 3, 4, 7].map((n) => [`${n} pairs`, part(means, 0, n)])),
  "a chosen completion that is certain": withFirst(0, -3),
  "a rejected one": withFirst(-3, 0),
  "odds beyond e^88": withFirst(-1e-3, -1e6),
  "odds below e^-88": withFirst(-1e6, -1e-3),
  "a NaN": withFirst(Number.NaN, -1),
  "both of no probability": withFirst(-Infinity, -Infinity),
};

const calls: Record<string, PairLossOptions> = {
  alone: { lossType: "orpo" },
  "with a β that leaves float32": { lossType: "orpo", beta: 1e-36 },
  "with a β that its inverse leaves": { lossType: "orpo", beta: 1e36 },
  "without weight": { lossType: ["orpo", "sigmoid"], lossWeights: [0, 1] },
  "with a weight, twice": { lossType: ["cpo_ipo", "orpo", "orpo"], lossWeights: [1, -0.25, 3] },
};

onEachBackend((backend) => {
  it.each(Object.entries(batches))("%s", async (_, pairs) => {
    const weights = Float32Array.from(pairs.policyChosen, (_, i) => (i % 4) / 3);
    for (const [name, options] of Object.entries(calls)) {
      for (const pairWeights of [undefined, weights]) {
        const given = narrow(pairs);
        const batch = pairWeights ? { ...given, pairWeights } : given;
        const { metrics } = await backend.pairLoss(batch, options);
        const want = js.pairLoss(batch, options).metrics;
        for (const key of ["log_odds_chosen", "log_odds_ratio"] as const) {
          const [x, y] = [metrics[key] as number, want[key] as number];
          if (!Number.isFinite(y)) expect(x, `${name}: ${key}`).toBe(y);
          else
            expect(Math.abs(x - y), `${name}: ${key} ${x}, ${y}`).toBeLessThanOrEqual(2e-6 * Math.max(1, Math.abs(y)));
        }
      }
    }
  });
});

// Rows of logits that lie far apart, that are masked in part, that are all the same: token log-probs, gradients and metrics
// against float64.

import { describe, expect, it } from "vitest";

import { onEachBackend } from "./support/backends.ts";
import type { AnyBackend } from "./support/candidate.ts";
import { excessOver, misses, missesNear } from "./support/compare.ts";
import { normalFrom } from "./support/logits.ts";
import { exactLogp, exactRow, missesOfGradient, tokenBound } from "./support/logits-exact.ts";
import { batchOfRows, rowOf } from "./support/logits-rows.ts";
import { randomFrom } from "./support/pairs.ts";

// Less than a vector, odd ends, and more than one block of the backend's staging.
const VOCABS = [1, 2, 3, 5, 16, 19, 1003, 40009];

type Fill = (vocab: number) => Float32Array;

const fill = (make: (v: number, vocab: number) => number): Fill => {
  return (vocab) => Float32Array.from({ length: vocab }, (_, v) => make(v, vocab));
};
const normal = normalFrom(5);
const random = randomFrom(6);
/** The first, the last, and those around the block of 16,384. */
const isEdge = (v: number, vocab: number): boolean => v === 0 || v === vocab - 1 || v === 16383 || v === 16384;

const rows: Record<string, Fill> = {
  "all others 75 to 100 below the maximum": fill((v, vocab) => (v === vocab >> 1 ? 3 : 3 - 75 - 25 * random())),
  "all others 75 to 100 below the maximum, at 1e4": fill((v, vocab) => (v === vocab - 1 ? 1e4 : 9925 - 25 * random())),
  "all others 87 to 104 below the maximum": fill((v) => (v === 0 ? -50 : -137 - 17 * random())),
  "half of the logits −∞": fill((v) => (v % 2 === 1 ? -Infinity : 2.5 * normal())),
  "all but the edges −∞": fill((v, vocab) => (isEdge(v, vocab) ? normal() : -Infinity)),
  "the first half −∞": fill((v, vocab) => (v < vocab >> 1 ? -Infinity : normal())),
  "the last half −∞": fill((v, vocab) => (v > vocab >> 1 ? -Infinity : normal())),
  "one finite logit, the last": fill((v, vocab) => (v === vocab - 1 ? -7.25 : -Infinity)),
  "one finite logit, the first": fill((v) => (v === 0 ? -7.25 : -Infinity)),
  "all 0": fill(() => 0),
  "zeros of either sign": fill((v) => (v % 3 === 0 ? -0 : 0)),
  "all 1e4": fill(() => 1e4),
  "all −1e4": fill(() => -1e4),
  "all float32's largest": fill(() => 3.4028234663852886e38),
  "all float32's lowest": fill(() => -3.4028234663852886e38),
  "all float32's least": fill(() => 2 ** -149),
  ascending: fill((v, vocab) => (100 * v) / vocab - 50),
  descending: fill((v, vocab) => 50 - (100 * v) / vocab),
  "ascending by 1e4": fill((v, vocab) => (2e4 * v) / vocab - 1e4),
  "±3e38": fill((v) => (v % 2 === 0 ? 3e38 : -3e38)),
  "a maximum that rises by 300 from block to block": fill((v) => 300 * (v >> 12) + normal()),
};

/** The ids to try as labels: one that has a finite logit, first, last and the most likely. */
function labelsOf(logits: Float32Array): number[] {
  const finite = [...logits.keys()].filter((v) => logits[v] !== -Infinity);
  const most = finite.reduce(
    (best, v) => ((logits[v] as number) > (logits[best] as number) ? v : best),
    finite[0] ?? 0,
  );
  return [finite[0], finite.at(-1), most].map((v) => v ?? 0);
}

async function check(backend: AnyBackend, logits: Float32Array): Promise<void> {
  const [first = 0, last = 0, most = 0] = labelsOf(logits);
  const vocab = logits.length;
  const chosen = [{ logits, id: first }];
  const rejected = [
    { logits, id: last },
    { logits, id: most },
  ];
  const batch = batchOfRows([{ chosen, rejected }]);
  const ids = [first, last, most];
  const exact = exactRow(logits, 0, vocab);
  const logps = ids.map((id) => exactLogp(logits, 0, id, exact));
  const sums = [logps[0] as number, (logps[1] as number) + (logps[2] as number)];
  const call = { reference: { logps: Float64Array.from(sums) }, ...batch };
  // A token log-prob of −6e38 is one in float64 alone.
  const out = { tokenLogps: new Float64Array(3) };
  const got = await backend.logitsLoss(call, { metrics: "full", out });
  const ofToken = (g: number, w: number): number => excessOver(tokenBound(w), g, w);
  expect([
    ...misses("tokenLogps", got.tokenLogps, logps, ofToken),
    ...missesNear("logsumexp", got.logsumexp, Array(3).fill(exact.logsumexp), 1e-15, 2e-6),
  ]).toEqual([]);
  const gradient = got.gradLogits as Float32Array;
  // Where the label is certain by far, log-probs of −6e38 among them, the pair stage may have no slope to test with.
  const slopes = [got.gradChosen[0], got.gradRejected[0], got.gradRejected[0]] as number[];
  expect(slopes.every(Number.isFinite)).toBe(true);
  ids.forEach((id, row) => {
    expect(missesOfGradient(gradient, batch.logits, row, vocab, id, slopes[row] as number)).toEqual([]);
  });
  // No 0·∞ among the terms of the entropy.
  const p = Float64Array.from(logits, (_, v) => Math.exp(exactLogp(logits, 0, v, exact)));
  const entropy = p.reduce((sum, x, v) => (x === 0 ? sum : sum - x * exactLogp(logits, 0, v, exact)), 0);
  expect(missesNear("entropy", [got.metrics["entropy"] as number], [entropy], 1e-5, 2e-6)).toEqual([]);
}

onEachBackend((backend) => {
  describe.each(Object.entries(rows))("%s", (_what, make) => {
    it.each(VOCABS)("V = %d: log-probs and gradients hold", (vocab) => check(backend, make(vocab)));
  });

  it("a logit of −∞ has a gradient of exactly 0", async () => {
    const logits = Float32Array.of(1, -Infinity, 2, -Infinity, 0.5, -Infinity, -Infinity);
    const batch = batchOfRows([{ chosen: [{ logits, id: 2 }], rejected: [{ logits, id: 0 }] }]);
    const { gradLogits } = await backend.logitsLoss({ ...batch, reference: { logps: new Float64Array(2) } });
    for (const row of [0, 1]) {
      const gradient = rowOf(gradLogits as Float32Array, row, 7);
      expect(gradient.map((x) => x === 0)).toEqual([false, true, false, true, false, true, true]);
    }
  });
});

// How exact token log-probs and gradients are at real vocabularies, against float64: rows shaped like a model's, near zero
// and far from it.

import { describe, expect, it } from "vitest";
import { onEachBackend } from "./support/backends.ts";
import { excessOver, misses } from "./support/compare.ts";
import { normalFrom } from "./support/logits.ts";
import { type ExactRow, exactLogp, exactRow, missesOfGradient, tokenBound } from "./support/logits-exact.ts";
import { randomFrom } from "./support/pairs.ts";

const ROWS = 6;
const VOCABS = [32000, 32003, 128256, 151936];
const OFFSETS = [0, 1e4, -1e4];

/** N(0, 2.5) with a few large ones; the labels are the most likely id, one in the middle, the least likely. */
function realRows(vocab: number) {
  const normal = normalFrom(vocab);
  const random = randomFrom(vocab + 1);
  const logits = new Float32Array(ROWS * vocab);
  const targets = new Int32Array(ROWS);
  for (let row = 0; row < ROWS; row++) {
    const values = logits.subarray(row * vocab, (row + 1) * vocab);
    for (let v = 0; v < vocab; v++) values[v] = 2.5 * normal();
    // Rows from flat to nearly certain.
    for (let k = 0; k < row; k++) values[Math.floor(vocab * random())] = 10 + 4 * random();
    const labels = [
      values.indexOf(max(values)),
      Math.floor(vocab * random()),
      values.indexOf(-max(values.map((x) => -x))),
    ];
    targets[row] = labels[row % 3] as number;
  }
  return { logits, targets };
}

const max = (values: Float32Array): number => values.reduce((most, x) => Math.max(most, x), -Infinity);

const prepared = VOCABS.flatMap((vocab) => {
  const { logits, targets } = realRows(vocab);
  return OFFSETS.map((offset) => {
    const moved = logits.map((x) => x + offset);
    const exact: ExactRow[] = Array.from({ length: ROWS }, (_, row) => exactRow(moved, row * vocab, vocab));
    const logps = exact.map((sums, row) => exactLogp(moved, row * vocab, targets[row] as number, sums));
    return { vocab, offset, logits: moved, targets, exact, logps };
  });
});

onEachBackend((backend) => {
  describe.each(prepared)("V = $vocab, logits around $offset", ({ vocab, logits, targets, exact, logps }) => {
    const tokens = { pairs: 1, offsets: Int32Array.of(0, ROWS / 2, ROWS), targets };
    const sum = (from: number): number => logps.slice(from, from + ROWS / 2).reduce((total, logp) => total + logp, 0);
    const reference = { logps: Float64Array.of(sum(0) + 0.5, sum(ROWS / 2)) };
    const batch = { tokens, vocab, logits };

    it("token log-probs are within 2e-6·max(1, |logp|/8), sums and logsumexp in float64", async () => {
      const got = await backend.sequenceLogps(batch);
      const full = await backend.sequenceLogps(batch, { metrics: "full" });
      const wide = await backend.sequenceLogps(batch, { out: { tokenLogps: new Float64Array(ROWS) } });
      const ofToken = (g: number, w: number): number => excessOver(tokenBound(w), g, w);
      expect([
        ...misses("tokenLogps", got.tokenLogps, logps, ofToken),
        ...misses("tokenLogps, float64", wide.tokenLogps, logps, ofToken),
        ...misses("tokenLogps, metrics full", full.tokenLogps, logps, ofToken),
        // At logits of 1e4 float32 would lose 5e-4.
        ...misses(
          "logsumexp",
          got.logsumexp,
          exact.map((row) => row.logsumexp),
          (g, w) => excessOver(2e-6, g, w),
        ),
        ...misses("logps", got.logps, [sum(0), sum(ROWS / 2)], (g, w) => excessOver(tokenBound(w) * (ROWS / 2), g, w)),
      ]).toEqual([]);
    });

    it("gradient entries are within 2e-7·|g|, and each row sums to zero within rounding", async () => {
      const { gradLogits, gradChosen, gradRejected } = await backend.logitsLoss({ ...batch, reference });
      const ofRow = (row: number): number => (row < ROWS / 2 ? gradChosen : gradRejected)[0] as number;
      expect(Math.abs(ofRow(0))).toBeGreaterThan(0.04);
      for (let row = 0; row < ROWS; row++) {
        const id = targets[row] as number;
        expect(missesOfGradient(gradLogits as Float32Array, logits, row, vocab, id, ofRow(row))).toEqual([]);
      }
    });
  });
});

// TRL's own numbers at large vocabularies: bigvocab.json, whose logits are made from a hash.

import { describe, expect, it } from "vitest";
import { onEachBackend } from "./support/backends.ts";
import { excessOver, magnitude, misses, missesNear } from "./support/compare.ts";
import { optionsOf, readGolden } from "./support/golden.ts";
import { hashedLogit, withLastColumn } from "./support/golden-logits.ts";
import { flatIds, flatMask, layoutNames, layouts, type PaddedLogits } from "./support/logits.ts";

interface BigCase {
  id: string;
  vocab: number;
  width: number;
  seed: number;
  scale: number;
  loss_type: string;
  hyper: Record<string, unknown>;
  input_ids: number[][];
  completion_mask: number[][];
  f64: {
    loss: number;
    per_token_logps: number[][];
    ref_chosen_logps: number[];
    ref_rejected_logps: number[];
    metrics: Record<string, number>;
    grad_samples: [row: number, t: number, v: number, gradient: number][];
    grad_row_l1: number[][];
  };
}

const { cases } = readGolden<{ cases: BigCase[] }>("bigvocab.json");

function batchOf({ vocab, width, seed, scale, input_ids, completion_mask }: BigCase): PaddedLogits {
  const length = input_ids.length * width * vocab;
  const hashed = (from: number) => Float32Array.from({ length }, (_, i) => hashedLogit(i, from, scale));
  return {
    tokens: {
      pairs: input_ids.length / 2,
      length: width,
      inputIds: flatIds(input_ids),
      completionMask: flatMask(completion_mask),
    },
    vocab,
    logits: hashed(seed),
    reference: { logits: hashed(seed + 1) },
  };
}

const prepared = cases.map((golden) => ({ golden, batch: batchOf(golden) }));

/** [Σ |x|, Σ x] of each row. */
function rowSums(values: Float64Array, vocab: number): { l1: Float64Array; sum: Float64Array } {
  const rows = values.length / vocab;
  const sums = { l1: new Float64Array(rows), sum: new Float64Array(rows) };
  for (let at = 0; at < values.length; at++) {
    const row = Math.floor(at / vocab);
    sums.l1[row] = (sums.l1[row] as number) + Math.abs(values[at] as number);
    sums.sum[row] = (sums.sum[row] as number) + (values[at] as number);
  }
  return sums;
}

onEachBackend((backend) => {
  describe.each(layoutNames)("bigvocab.json, %s", (layout) => {
    it.each(prepared.map((one) => [one.golden.id, one] as const))("%s", async (_id, { golden, batch: padded }) => {
      const { f64, vocab, width } = golden;
      const { batch, unpack } = layouts[layout](padded);
      const options = optionsOf({ loss_types: [golden.loss_type], hyper: golden.hyper });
      const got = await backend.logitsLoss(batch, { ...options, metrics: "full" });
      const reference = await backend.sequenceLogps({ ...batch, logits: batch.reference.logits });
      const gradient = unpack(got.gradLogits as Float32Array, vocab);
      const { l1, sum } = rowSums(gradient, vocab);
      const wantL1 = f64.grad_row_l1.flat();
      const samples = f64.grad_samples.map(([row, t, v]) => gradient[(row * width + t) * vocab + v] as number);
      const wanted = f64.grad_samples.map(([, , , value]) => value);
      const bound = 1e-5 * magnitude(wanted);
      const zero = wantL1.map(() => 0);
      const sumOfPolicy = withLastColumn(f64.per_token_logps);
      expect([
        ...missesNear("loss", [got.loss], [f64.loss], 1e-5),
        ...missesNear("tokenLogps", unpack(got.tokenLogps, 1), sumOfPolicy, 2.5e-7),
        ...missesNear("reference", reference.logps, [...f64.ref_chosen_logps, ...f64.ref_rejected_logps], 2.5e-7),
        ...misses("samples", samples, wanted, (g, w) => excessOver(bound, g, w)),
        // Entries beside the label are small against the row: here each must hold by itself.
        ...missesNear("samples", samples, wanted, 1e-5, 1e-12),
        ...missesNear("l1", l1, wantL1, 1e-5),
        ...misses("row sums", sum, zero, (g, w, row) => excessOver(2.5e-7 * (wantL1[row] as number), g, w)),
        ...Object.entries(f64.metrics).flatMap(([key, want]) =>
          key === "num_tokens" ? [] : missesNear(key, [got.metrics[key] as number], [want], 1e-5, 2e-6),
        ),
      ]).toEqual([]);
    });
  });
});

describe("bigvocab.json", () => {
  it("holds the cases that the tests count on", () => {
    expect(prepared.map(({ golden }) => golden.vocab)).toEqual([32003, 4099]);
  });
});

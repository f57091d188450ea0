// createTrainer on the losses of rows, whose reference may be brought as log-probs: those of KTO's mismatched rows too.

import { describe, expect, it } from "vitest";
import { collateRows, createWasm, mismatch } from "../src/index.ts";
import type { RowExample } from "../src/train.ts";
import type { LinearBatch } from "../src/types.ts";
import { onEachBackend } from "./support/backends.ts";
import type { AnyBackend } from "./support/candidate.ts";
import { missesNear } from "./support/compare.ts";
import { backbone, hiddenSize, newHead, newTrainer, rows, take, vocab } from "./support/trainer.ts";

const local = await createWasm({ relaxed: false });
const batchSize = 4;
const others = mismatch(rows, batchSize);

/** Log-probs of rows under the head as it is at the start. */
function logpsOf(given: readonly RowExample[]): number[] {
  const tokens = collateRows(given);
  const hidden = backbone({ ...tokens, pairs: tokens.rows / 2 });
  const batch = { tokens, vocab, hiddenSize, hidden, weight: newHead().weight };
  return [...(local.sequenceLogps(batch as unknown as LinearBatch).logps as Float64Array)];
}
const [refs, klRefs] = [logpsOf(rows), logpsOf(others)];

const spellings: Record<string, (i: number) => object> = {
  "this package's": (i) => ({ refLogps: refs[i], refKlLogps: klRefs[i] }),
  "TRL's": (i) => ({ ref_logps: refs[i], ref_KL_logps: klRefs[i] }),
  "older ones of TRL": (i) => ({ reference_logps: refs[i], reference_KL_logps: klRefs[i] }),
};

const curve = async (config: Record<string, unknown>, backend: AnyBackend, given: object) =>
  (await take(await newTrainer({ max_steps: 3, beta: 0.5, ...config }, { backend, examples: rows, ...given }))).map(
    ({ metrics }) => metrics,
  );

describe.each(["kto", "bco", "apo_zero_unpaired"])("%s", (loss_type) => {
  onEachBackend((backend) => {
    it("has the same curve from log-probs that the rows bring, or that are computed once", async () => {
      const expected = await curve({ loss_type }, backend, {});
      const brought = rows.map((row, i) => ({ ...row, ...spellings["TRL's"]?.(i) }));
      const given = await curve({ loss_type }, backend, { examples: brought, reference: "precomputed" });
      const once = await curve({ loss_type, precompute_ref_log_probs: true }, backend, {});
      for (const got of [given, once]) {
        const found = expected.flatMap((metrics, i) =>
          Object.entries(metrics).flatMap(([key, value]) =>
            missesNear(`step ${i + 1} ${key}`, [got[i]?.[key] as number], [value], 1e-4, 2e-5),
          ),
        );
        expect(found).toEqual([]);
      }
      // It counts: another reference, another curve.
      const off = brought.map((row, i) => ({ ...row, ref_logps: (refs[i] as number) + (i % 2) }));
      const moved = await curve({ loss_type }, backend, { examples: off, reference: "precomputed" });
      expect(Math.abs((moved[0]?.["loss"] ?? 0) - (expected[0]?.["loss"] ?? 0))).toBeGreaterThan(1e-3);
    });
  });
});

describe("kto", () => {
  const config = { loss_type: "kto" };

  it.each(Object.entries(spellings))("reads log-probs under %s names", async (_name, of) => {
    const [examples, usual] = [of, spellings["TRL's"]].map((names) =>
      rows.map((row, i) => ({ ...row, ...names?.(i) })),
    );
    const given = await curve(config, local, { examples, reference: "precomputed" });
    expect(given).toEqual(await curve(config, local, { examples: usual, reference: "precomputed" }));
  });

  it("takes the mismatched completion that a row brings, in place of the rotation's", async () => {
    const completions = others.map((row) => ("completion" in row ? row.completion : []));
    const expected = await curve(config, local, {});
    for (const name of ["klCompletion", "KL_completion_ids"]) {
      const same = rows.map((row, i) => ({ ...row, [name]: completions[i] }));
      expect(await curve(config, local, { examples: same })).toEqual(expected);
      const other = rows.map((row, i) => ({ ...row, [name]: completions[(i + 5) % rows.length] }));
      const got = await curve(config, local, { examples: other });
      expect(got.at(-1)?.["kl"]).not.toBe(expected.at(-1)?.["kl"]);
    }
  });

  it.each([
    ["no log-probs of the row", { refKlLogps: -1 }, /^examples\[3\]\.refLogps: expected a number, got nothing/],
    ["none of its mismatched one", { refLogps: -1 }, /^examples\[3\]\.refKlLogps: expected a number, got nothing/],
    ["text", { refLogps: -1, ref_KL_logps: "x" }, /^examples\[3\]\.ref_KL_logps: expected a number, got a string/],
    [
      "no number",
      { refLogps: Number.NaN, refKlLogps: -1 },
      /^examples\[3\]\.refLogps: expected a finite number, got NaN/,
    ],
    [
      "no ids",
      { refLogps: -1, refKlLogps: -1, klCompletion: "no" },
      /^examples\[3\]\.klCompletion.*: expected token ids/,
    ],
  ])("names the row and the field: %s", async (_name, fields, message) => {
    const examples = rows.map((row, i) => ({ ...row, ...(i === 3 ? fields : { refLogps: -1, refKlLogps: -1 }) }));
    await expect(curve(config, local, { examples, reference: "precomputed" })).rejects.toThrow(message);
  });

  it("asks for no log-probs of mismatched rows for losses that have none", async () => {
    const examples = rows.map((row, i) => ({ ...row, refLogps: refs[i] }));
    expect(await curve({ loss_type: "bco" }, local, { examples, reference: "precomputed" })).toHaveLength(3);
  });
});

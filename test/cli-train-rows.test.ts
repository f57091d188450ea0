// dpo-kernels train --hidden with single rows: what the losses of rows need of the file, kto's mismatched rows among it.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it, vi } from "vitest";
import { readHiddenFile } from "../src/cli/train/hidden-file.ts";
import { collateRows, createWasm, mismatch } from "../src/index.ts";
import { type RowExample, writeSafetensors } from "../src/train.ts";
import type { LinearBatch } from "../src/types.ts";
import { folder, run, write } from "./cli-run.ts";
import { missesNear } from "./support/compare.ts";
import { backbone, hiddenSize, rows as made, newHead, newTrainer, take, vocab } from "./support/trainer.ts";

vi.setConfig({ testTimeout: 300_000 });

const backend = await createWasm({ relaxed: false });
const batchSize = 4;
// The mismatched row of the second one goes on where its own one ends.
const rows: readonly RowExample[] = [
  { prompt: [1, 2], completion: [3, 4, 5, 6], label: true },
  { prompt: [1, 2], completion: [3, 4], label: false },
  ...made.slice(0, 14),
];

type Tensors = Parameters<typeof writeSafetensors>[0];

/** The tensors of rows, by names with a prefix, and their log-probs under the head as it is at the start. */
function tensorsOf(prefix: string, given: readonly RowExample[], padTo: number): Tensors {
  const tokens = collateRows(given, { padToMultipleOf: padTo });
  const { length, inputIds, completionMask, attentionMask } = tokens;
  const hidden = backbone({ ...tokens, pairs: given.length / 2 });
  const batch = { tokens, vocab, hiddenSize, hidden, weight: newHead().weight };
  const { logps } = backend.sequenceLogps(batch as unknown as LinearBatch);
  const shape = [given.length, length];
  return {
    [`${prefix}hidden`]: { shape: [...shape, hiddenSize], data: hidden },
    [`${prefix}input_ids`]: { shape, data: inputIds },
    [`${prefix}completion_mask`]: { shape, data: completionMask },
    [`${prefix}attention_mask`]: { shape, data: attentionMask },
    [`${prefix}reference_logps`]: { shape: [given.length], data: Float64Array.from(logps) },
  };
}

const all: Tensors = {
  weight: { shape: [vocab, hiddenSize], data: newHead().weight },
  labels: { shape: [rows.length], data: Uint8Array.from(rows, ({ label }) => Number(label)) },
  ...tensorsOf("", rows, 1),
  ...tensorsOf("kl_", mismatch(rows, batchSize), 16),
};
const without = (pattern: RegExp, change: Tensors = {}): Tensors =>
  Object.fromEntries(Object.entries({ ...all, ...change }).filter(([name]) => !pattern.test(name)));

const config = { max_steps: 6, beta: 0.5, max_length: null };
const settings = ["--max-steps", "6", "--beta", "0.5", "--per-device-train-batch-size", String(batchSize)];
const path = (name: string): string => join(folder, name);
const file = (name: string, tensors: Tensors): string => write(`${name}.safetensors`, writeSafetensors(tensors));

function train(name: string, tensors: Tensors, loss: string) {
  const job = ["train", "--hidden", file(name, tensors), "--out", path(name), "--loss-type", loss, "--no-shuffle"];
  return run([...job, "--learning-rate", "1e-2", "--backend", "wasm", ...settings, "--json"]);
}

const metricsOf = (name: string): Record<string, number>[] =>
  readFileSync(join(path(name), "metrics.jsonl"), "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));

describe.each(["kto", "bco", "apo_zero_unpaired"])("%s", (loss) => {
  it.each([
    ["the head as it was for a reference", without(/reference_logps/)],
    ["the file's log-probs for one", all],
  ])("trains as createTrainer does on the same rows, with %s", async (_name, tensors) => {
    const name = `${loss}-${"reference_logps" in tensors}`;
    const { status, stderr } = train(name, tensors, loss);
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    const trainer = await newTrainer({ ...config, loss_type: loss }, { backend, examples: rows, shuffle: false });
    const found = (await take(trainer)).flatMap(({ step, metrics }, i) =>
      Object.entries(metrics).flatMap(([key, value]) =>
        missesNear(`step ${step} ${key}`, [metricsOf(name)[i]?.[key] as number], [value], 1e-4, 2e-5),
      ),
    );
    expect(found).toEqual([]);
  });
});

describe("the file", () => {
  it("brings the reference: other log-probs, another loss", () => {
    const { shape = [], data = [] } = all["reference_logps"] ?? {};
    const moved = Float64Array.from(data as Float64Array, (logp, i) => logp + (i % 2));
    expect(train("moved", { ...all, reference_logps: { shape, data: moved } }, "bco").status).toBe(0);
    expect(
      Math.abs((metricsOf("moved")[0]?.["loss"] ?? 0) - (metricsOf("bco-true")[0]?.["loss"] ?? 0)),
    ).toBeGreaterThan(1e-3);
  });

  it("may spell the mismatched rows' tensors as TRL does", async () => {
    const names = (name: string): string =>
      name === "kl_reference_logps" ? "ref_KL_logps" : name.replace(/^kl_/, "KL_");
    const spelt = Object.fromEntries(Object.entries(all).map(([name, tensor]) => [names(name), tensor]));
    const { reference, examples } = await readHiddenFile(file("spelt", spelt), ["kto"]);
    expect(reference).toBe("precomputed");
    expect(examples).toEqual((await readHiddenFile(file("usual", all), ["kto"])).examples);
  });

  it("without log-probs of the mismatched rows leaves the reference to the head, and says so", () => {
    const { status, stdout } = train("half", without(/^kl_reference_logps$/), "kto");
    expect(status).toBe(0);
    expect(JSON.parse(stdout).notes).toContain(
      "reference_logps: left out: kto needs kl_reference_logps too; the reference is the head as it was",
    );
    expect(metricsOf("half")).toEqual(metricsOf("kto-false"));
  });

  it("is refused before a folder is begun where kto finds no mismatched rows, or wrong ones", () => {
    const kl = all["kl_input_ids"] as { shape: number[]; data: Int32Array };
    const cases: [string, Tensors, string][] = [
      [
        "none",
        without(/^kl_/),
        "none.safetensors: kl_hidden: expected with kto, with kl_input_ids and kl_completion_mask",
      ],
      ["no-ids", without(/^kl_input_ids$/), "no-ids.safetensors: kl_input_ids: missing; the file has"],
      [
        "other",
        { ...all, kl_input_ids: { ...kl, data: kl.data.map((id) => (id + 1) % vocab) } },
        "other.safetensors: kl_input_ids: row 0: expected the prompt of row 0 of input_ids, got two",
      ],
      [
        "hole",
        { ...all, kl_completion_mask: { shape: kl.shape, data: new Uint8Array(kl.data.length).fill(1, 0, 3) } },
        "hole.safetensors: kl_completion_mask: row 0: expected ones to the row's end, got 0 at",
      ],
    ];
    for (const [name, tensors, message] of cases) {
      const { status, stderr } = train(name, tensors, "kto");
      expect([name, status, stderr]).toEqual([name, 2, expect.stringContaining(message)]);
      expect(() => metricsOf(name)).toThrow(/ENOENT/);
    }
    // Other losses do not look at them.
    expect(train("bco-none", without(/^kl_/), "bco").status).toBe(0);
  });
});

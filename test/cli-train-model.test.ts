// dpo-kernels train with a model: texts through tokenizer and ONNX to the head, as the hidden file of the same has it.

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it, vi } from "vitest";
import { readSafetensors } from "../src/train.ts";
import { folder, lines, run, write } from "./cli-run.ts";
import { missing, modelFolder } from "./text/support.ts";

vi.setConfig({ testTimeout: 300_000, hookTimeout: 60_000 });

const path = (name: string): string => join(folder, name);
const things = ["cat", "dog", "ball", "tree"];
const pairs = Array.from({ length: 16 }, (_, i) => ({
  prompt: ` Once there was a ${things[i % 4]} and`,
  chosen: ` it was ${"very ".repeat(i % 3)}happy.`,
  rejected: ` the ${things[(3 * i) % 4]} was sad.`,
}));

describe.skipIf(missing !== "")(`train --model${missing}`, () => {
  const model = modelFolder();
  let data = "";
  beforeAll(() => {
    data = write("pairs.jsonl", lines(...pairs));
  });
  const settings = ["--max-steps", "6", "--per-device-train-batch-size", "4", "--learning-rate", "1e-3"];
  const train = (out: string, ...more: string[]) =>
    run(["train", "--data", data, "--model", model, "--out", path(out), "--backend", "wasm", ...settings, ...more]);

  it("learns from texts, with the head that lies beside the model", () => {
    const { status, stdout, stderr } = train("texts", "--eval-data", data, "--json");
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    const { metrics, state } = JSON.parse(stdout);
    expect(state).toBe("finished");
    // Before the first step policy and reference are one.
    const [first] = readFileSync(join(path("texts"), "metrics.jsonl"), "utf8").split("\n");
    expect(JSON.parse(first ?? "")).toMatchObject({ step: 1, loss: expect.closeTo(Math.LN2, 6) });
    expect(metrics.eval_loss).toBeLessThan(Math.LN2);
    const { tensors } = readSafetensors(readFileSync(join(path("texts"), "model.safetensors")));
    expect(tensors["lm_head.weight"]?.shape).toEqual([512, 64]);
  });

  it("takes the reference from columns that score has left", () => {
    expect(run(["score", data, "--model", model, "--out", path("scored.jsonl")]).status).toBe(0);
    const own = ["--model", model, "--out", path("scored"), "--backend", "wasm", ...settings, "--json"];
    const { status, stdout } = run(["train", "--data", path("scored.jsonl"), ...own]);
    expect(status).toBe(0);
    const { metrics, notes } = JSON.parse(stdout);
    expect(notes).toContain("the reference is what ref_chosen_logps and ref_rejected_logps of the data say");
    expect(metrics.loss).toBeLessThan(Math.LN2);
  });

  it("follows a recipe of TRL's, and says what of it is not followed", () => {
    const recipe = write(
      "recipe.yaml",
      "model_name_or_path: my-model\nloss_type: [sigmoid, sft]\nloss_weights: [1, 0.1]\nuse_peft: true\nlora_r: 4\nlora_target_modules: all-linear\n",
    );
    const { status, stdout, stderr } = train("recipe", "--config", recipe);
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    expect(stdout).toContain("note: lora_target_modules: the head alone is trained here");
    expect(stdout).toContain("note: model_name_or_path: not a key of DPOConfig; ignored");
    expect(existsSync(join(path("recipe"), "adapter_model.safetensors"))).toBe(true);
  });

  it("trains with rows of KTO, whose mismatched rows the model computes", () => {
    const rows = pairs.flatMap(({ prompt, chosen, rejected }) => [
      { prompt, completion: chosen, label: true },
      { prompt, completion: rejected, label: false },
    ]);
    const own = [
      "--model",
      model,
      "--out",
      path("kto"),
      "--backend",
      "wasm",
      ...settings,
      "--loss-type",
      "kto",
      "--json",
    ];
    const { status, stdout } = run(["train", "--data", write("rows.jsonl", lines(...rows)), ...own]);
    expect(status).toBe(0);
    expect(JSON.parse(stdout).metrics).toHaveProperty("kl");
  });

  it("takes the reference of KTO's rows from columns that score has left", () => {
    const rows = pairs.map(({ prompt, chosen }, i) => ({ prompt, completion: chosen, label: i % 2 === 0 }));
    const scoring = ["--model", model, "--out", path("rows-scored.jsonl"), "--batch-size", "4"];
    expect(run(["score", write("kto.jsonl", lines(...rows)), ...scoring]).status).toBe(0);
    const own = ["--model", model, "--backend", "wasm", ...settings, "--loss-type", "kto", "--json"];
    const [plain, scored] = ["kto.jsonl", "rows-scored.jsonl"].map((data) => {
      const { status, stdout } = run(["train", "--data", path(data), "--out", path(`of-${data}`), ...own]);
      expect(status).toBe(0);
      return JSON.parse(stdout);
    });
    expect(scored.notes).toContain("the reference is what ref_logps and ref_KL_logps of the data say");
    expect(scored.metrics.loss).toBeCloseTo(plain.metrics.loss, 4);
    expect(scored.metrics.kl).toBeCloseTo(plain.metrics.kl, 3);
  });

  it("names file, line and field of data that are wrong", () => {
    const cases: [object[], string][] = [
      [
        [pairs[0] as object, { prompt: "a", chosen: 7, rejected: "b" }],
        "wrong.jsonl:2: chosen: expected a text or a list",
      ],
      [[{ question: "a", answer: "b" }], "wrong.jsonl:1: expected columns chosen and rejected, got question, answer"],
      [[{ ...pairs[0], ref_chosen_logps: "x" }], "wrong.jsonl:1: ref_chosen_logps: expected a number"],
    ];
    for (const [rows, message] of cases) {
      const args = ["--model", model, "--out", path("wrong"), ...settings];
      const { status, stderr } = run(["train", "--data", write("wrong.jsonl", lines(...rows)), ...args]);
      expect([status, stderr]).toEqual([2, expect.stringContaining(message)]);
    }
    expect(train("short", "--max-length", "2").stderr).toContain("--max-length: every prompt fills it");
  });
});

// Adapters in PEFT's files: what PEFT has saved is read and computes the same, what we write is what PEFT writes, and what would be
// another function is refused. test/golden/peft/make.py had PEFT save what is read here; test/runtimes/peft.test.ts has it load.

import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { DpoError } from "../src/errors.ts";
import { createJs, type Floats, type Lora } from "../src/index.ts";
import { readSafetensors } from "../src/safetensors/read.ts";
import { writeSafetensors } from "../src/safetensors/write.ts";
import { type AdapterFilesToRead, readAdapter } from "../src/train/peft/read.ts";
import { writeAdapter } from "../src/train/peft/write.ts";
import { missesNear } from "./support/compare.ts";

const folder = "test/golden/peft";
const golden = JSON.parse(readFileSync(`${folder}/expected.json`, "utf8"));
const ids: number[] = golden.ids;
const hidden = Float32Array.from(golden.hidden);
const baseWeight = Float32Array.from(golden.weight);
const [vocab, hiddenSize] = [11, 8];

const savedByPeft = (name: string): { [K in keyof AdapterFilesToRead]: Uint8Array } => ({
  "adapter_model.safetensors": readFileSync(`${folder}/${name}/adapter_model.safetensors`),
  "adapter_config.json": readFileSync(`${folder}/${name}/adapter_config.json`),
});

/** The log-probs of ids[1…] given the hidden states before them. */
function logpsUnder(lora: Lora, weight: Floats): ArrayLike<number> {
  const tokens = { rows: 1, offsets: Int32Array.of(0, ids.length - 1), targets: Int32Array.from(ids.slice(1)) };
  const states = hidden.subarray(0, (ids.length - 1) * hiddenSize);
  return createJs().sequenceLogps({ tokens, vocab, hiddenSize, hidden: states, weight, lora }).tokenLogps;
}

function logpsOf(logits: readonly number[]): number[] {
  return ids.slice(1).map((id, t) => {
    const row = logits.slice(t * vocab, (t + 1) * vocab);
    return (row[id] as number) - Math.log(row.reduce((sum, logit) => sum + Math.exp(logit), 0));
  });
}

describe("what PEFT has saved", () => {
  test.each([
    ["plain", 1e-5, { dropout: 0.1, scale: 7 / 3 }],
    ["rslora", 1e-5, { dropout: 0, scale: 3 }],
    ["tied", 1e-5, { dropout: 0, scale: 2 }],
    ["pattern", 1e-5, { dropout: 0, scale: 4 }],
    // PEFT rounds to bfloat16 in between.
    ["half", 3e-2, { dropout: 0, scale: 1 }],
  ])("%s is read, and computes the same", (name, bound, { dropout, scale }) => {
    const { lora, weight, ...others } = readAdapter(savedByPeft(name));
    expect(others).toStrictEqual({ vocab, hiddenSize, dropout, baseModel: undefined, module: "lm_head" });
    expect(lora.scale).toBe(scale);
    expect(missesNear(name, logpsUnder(lora, weight ?? baseWeight), logpsOf(golden.logits[name]), bound)).toEqual([]);
  });

  test.each([
    ["dora", "adapter_config.json: use_dora: expected an adapter without it, got true"],
    ["bias", "adapter_config.json: lora_bias: expected an adapter without it, got true"],
    ["saved", "adapter_config.json: modules_to_save: expected an adapter without it, got a plain array"],
    ["ranks", "adapter_config.json: rank_pattern: expected an adapter without it, got an object"],
    [
      "pissa",
      'adapter_config.json: init_lora_weights: expected true, false, null, "gaussian", "eva", "orthogonal", got "pissa"',
    ],
    [
      "attention",
      'tensors: expected an adapter of "lm_head" alone, got "base_model.model.model.layers.0.self_attn.q_proj.lora_A.wei…"',
    ],
  ])("%s is refused, as another function", (name, message) => {
    expect(() => readAdapter(savedByPeft(name))).toThrow(expect.objectContaining({ code: "unused-option", message }));
  });
});

const read = readAdapter(savedByPeft("plain"));

describe("what is written", () => {
  test("has PEFT's names, shapes, element types and metadata", () => {
    const [ours, theirs] = [writeAdapter(read), savedByPeft("plain")].map((files) =>
      readSafetensors(files["adapter_model.safetensors"]),
    );
    const { ["base_model.model.lm_head.base_layer.weight"]: _base, ...tensors } = theirs?.tensors ?? {};
    expect({ ...ours?.tensors }).toStrictEqual(tensors);
    expect(ours?.metadata).toStrictEqual(theirs?.metadata);
  });

  test("says of itself what PEFT says, in PEFT's words", () => {
    const theirs = JSON.parse(new TextDecoder().decode(savedByPeft("plain")["adapter_config.json"]));
    const ours = JSON.parse(writeAdapter({ ...read, baseModel: "a/b" })["adapter_config.json"]);
    expect(theirs).toMatchObject({ ...ours, base_model_name_or_path: null });
    expect(ours.base_model_name_or_path).toBe("a/b");
  });

  test("is read again, to the bit, whole α as such", () => {
    for (let rank = 1; rank <= 64; rank++) {
      for (const alpha of [1, 8, 16, 61, 2.5]) {
        const numbers = (n: number): Float32Array => Float32Array.from({ length: n }, (_, i) => Math.sin(i + rank));
        const lora = { a: numbers(3 * rank), b: numbers(5 * rank), rank, scale: alpha / rank };
        const given = { lora, dropout: 0.25, baseModel: "a", module: "language_model.lm_head" };
        const files = writeAdapter(given);
        const again = readAdapter(files);
        expect(again).toMatchObject({
          ...given,
          vocab: 5,
          hiddenSize: 3,
          lora: { ...lora, scale: expect.closeTo(lora.scale, 14) },
        });
        if (Number.isInteger(alpha)) {
          expect(again.lora.scale).toBe(lora.scale);
          expect(JSON.parse(files["adapter_config.json"]).lora_alpha).toBe(alpha);
        }
        expect(writeAdapter(again)).toStrictEqual(files);
      }
    }
  });

  test("a file's own bytes are not shared with what is trained on", () => {
    const files = writeAdapter(read);
    const before = files["adapter_model.safetensors"].slice();
    readAdapter(files).lora.a.fill(0);
    expect(files["adapter_model.safetensors"]).toStrictEqual(before);
  });

  const { lora } = read;
  test.each([
    [{ lora: { ...lora, a: lora.a.subarray(1) } }, "lora.a: expected a multiple of the rank 3, got 23 values"],
    [{ lora: { ...lora, b: [1] } }, "lora.b: expected a Float32Array, got a plain array"],
    [{ lora: { ...lora, b: new Float32Array(0) } }, "lora.b: expected a multiple of the rank 3, got 0 values"],
    [{ lora: { ...lora, rank: 0 } }, "lora.rank: expected an integer in 1..2147483647, got 0"],
    [{ lora: { ...lora, scale: Number.NaN } }, "lora.scale: expected a finite number, got NaN"],
    [{ lora: { ...lora, alpha: 1 } }, /^lora\.alpha: not a part of an adapter/],
    [{ lora, dropout: 2 }, "dropout: expected a number in [0, 1], got 2"],
    [{ lora, module: "../x" }, 'module: expected the name of a module, got "../x"'],
    [{ lora, module: 1 }, "module: expected text, got a number"],
    [{ lora, baseModel: 1 }, "baseModel: expected text, got a number"],
    [{ lora, rank: 1 }, /^adapter\.rank: not a part of an adapter/],
    [{}, "lora: expected an object, got undefined"],
    [null, "adapter: expected an object, got null"],
  ])("is refused before: %#", (given, message) => {
    expect(() => writeAdapter(given as never)).toThrow(message);
    expect(() => writeAdapter(given as never)).toThrow(DpoError);
  });
});

describe("files that lie", () => {
  const { tensors } = readSafetensors(writeAdapter(read)["adapter_model.safetensors"]);
  const config = JSON.parse(writeAdapter(read)["adapter_config.json"]);
  const [a, b] = ["base_model.model.lm_head.lora_A.weight", "base_model.model.lm_head.lora_B.weight"];
  const withTensors = (changed: object): AdapterFilesToRead => ({
    "adapter_model.safetensors": writeSafetensors(
      Object.fromEntries(Object.entries({ ...tensors, ...changed }).filter(([, tensor]) => tensor !== undefined)),
    ),
    "adapter_config.json": JSON.stringify(config),
  });
  const withConfig = (changed: object): AdapterFilesToRead => ({
    ...writeAdapter(read),
    "adapter_config.json": JSON.stringify({ ...config, ...changed }),
  });
  const floats = (...shape: number[]) => ({ shape, data: new Float32Array(shape.reduce((n, size) => n * size, 1)) });

  test.each<[string, AdapterFilesToRead, string]>([
    ["no A", withTensors({ [a]: undefined }), 'expected "base_model.model.….lora_A.weight", got none'],
    ["no B", withTensors({ [b]: undefined }), `expected "${b}", got none`],
    ["A of another rank", withTensors({ [a]: floats(2, 8) }), "expected the shape [3, 8], got [2, 8]"],
    ["B of another rank", withTensors({ [b]: floats(11, 2) }), "expected the shape [11, 3], got [11, 2]"],
    ["A as a vector", withTensors({ [a]: floats(24) }), "expected the shape [3, 0], got [24]"],
    ["nothing in A", withTensors({ [a]: floats(3, 0) }), "expected the shape [3, 0], got [3, 0]"],
    [
      "a base of another shape",
      withTensors({ "base_model.model.embed.weight": floats(11, 7) }),
      "expected the shape [11, 8]",
    ],
    ["magnitudes", withTensors({ "base_model.model.lm_head.lora_magnitude_vector": floats(11) }), "alone, got"],
    ["no prefix", withTensors({ "lm_head.weight": floats(11, 8) }), 'alone, got "lm_head.weight"'],
    [
      "integers",
      withTensors({ [a]: { shape: [3, 8], data: new Int32Array(24) } }),
      "expected F32, F16 or BF16, got I32",
    ],
    ["another rank in words", withConfig({ r: 2 }), "expected the shape [2, 8], got [3, 8]"],
    ["no rank", withConfig({ r: undefined }), "r: expected a number, got undefined"],
    ["half a rank", withConfig({ r: 1.5 }), "r: expected an integer"],
    ["α as text", withConfig({ lora_alpha: "8" }), "lora_alpha: expected a number, got a string"],
    ["dropout", withConfig({ lora_dropout: 1.5 }), "lora_dropout: expected a number in [0, 1], got 1.5"],
    ["another method", withConfig({ peft_type: "LOHA" }), 'peft_type: expected "LORA", got "LOHA"'],
    ["another task", withConfig({ task_type: "SEQ_CLS" }), 'task_type: expected "CAUSAL_LM", got "SEQ_CLS"'],
    ["biases", withConfig({ bias: "all" }), 'bias: expected "none", got "all"'],
    ["other modules", withConfig({ target_modules: ["head"] }), 'expected "lm_head", which has tensors, among them'],
    ["modules of no kind", withConfig({ target_modules: [1] }), "target_modules: expected a list of names"],
    ["a base of no kind", withConfig({ base_model_name_or_path: 1 }), "base_model_name_or_path: expected text"],
    [
      "what a later PEFT may have",
      withConfig({ use_xora: true }),
      "use_xora: expected an adapter without it, got true",
    ],
    [
      "no JSON",
      { ...withConfig({}), "adapter_config.json": "{" },
      "adapter_config.json: expected JSON, got other text",
    ],
    ["a list", { ...withConfig({}), "adapter_config.json": "[]" }, "expected an object, got a plain array"],
    ["no UTF-8", { ...withConfig({}), "adapter_config.json": Uint8Array.of(255) }, "expected UTF-8, got other bytes"],
    ["no text", { ...withConfig({}), "adapter_config.json": 1 as never }, "expected text or its bytes, got a number"],
    ["no tensors", { ...withConfig({}), "adapter_model.safetensors": 1 as never }, "safetensors: expected the bytes"],
    ["another file", { ...withConfig({}), "adapter.bin": 1 } as never, "adapter.bin: not a file of an adapter"],
  ])("%s", (_name, files, message) => {
    expect(() => readAdapter(files)).toThrow(message);
    expect(() => readAdapter(files)).toThrow(DpoError);
  });

  test("what a later PEFT does not use, and says so, is no reason to refuse", () => {
    const later = { use_xora: false, xora_config: null, xora_pattern: {}, xora_modules: [] };
    expect(readAdapter(withConfig(later))).toMatchObject({ lora: { rank: 3 } });
  });

  test("20,000 files with damaged bytes: read, or refused with an error of ours", () => {
    const sound = writeAdapter(read);
    const [model, text] = [sound["adapter_model.safetensors"], new TextEncoder().encode(sound["adapter_config.json"])];
    let seed = 20261130;
    const random = (below: number): number => {
      seed = (Math.imul(seed, 1664525) + 1013904223) | 0;
      return (seed >>> 8) % below;
    };
    const counts = { read: 0, refused: 0 };
    for (let i = 0; i < 20_000; i++) {
      const bytes = (i % 2 ? model : text).slice();
      for (let changes = 1 + random(3); changes > 0; changes--) bytes[random(i % 2 ? 300 : bytes.length)] = random(256);
      const name = i % 2 ? "adapter_model.safetensors" : "adapter_config.json";
      try {
        const { lora, vocab, hiddenSize } = readAdapter({ ...sound, [name]: bytes });
        expect([lora.a.length, lora.b.length]).toStrictEqual([lora.rank * hiddenSize, vocab * lora.rank]);
        counts.read++;
      } catch (error) {
        if (!(error instanceof DpoError)) throw error;
        counts.refused++;
      }
    }
    expect(counts.read).toBeGreaterThan(100);
    expect(counts.refused).toBeGreaterThan(10_000);
  });
});

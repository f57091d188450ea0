// TRL's recipes as the command line's configuration: YAML as PyYAML reads it, in one bounded document of plain data.

import { describe, expect, it } from "vitest";
import { readConfig } from "../src/cli/config.ts";
import type { LossOptions } from "../src/types.ts";
import { lines, loss, pair, run, write } from "./cli-run.ts";

const read = (text: string, name = "recipe.yaml") => readConfig(write(name, text), undefined, {});
const optionsOf = async (text: string): Promise<LossOptions> => (await read(text)).options;

const recipe = `# Model
model_name_or_path: Qwen/Qwen2.5-0.5B-Instruct
torch_dtype: bfloat16

# Training
bf16: yes
learning_rate: 5.0e-7
lr_scheduler_type: cosine
gradient_checkpointing_kwargs:
  use_reentrant: False
output_dir: out  # where
loss_type:
  - sigmoid
  - sft
loss_weights: [0.8, 0.2]
beta: 1e-2
ld_alpha: ~
label_smoothing:
`;

describe("a recipe", () => {
  it("gives options and notes as the same configuration in JSON does", async () => {
    const json = {
      model_name_or_path: "Qwen/Qwen2.5-0.5B-Instruct",
      torch_dtype: "bfloat16",
      bf16: true,
      learning_rate: 5e-7,
      lr_scheduler_type: "cosine",
      gradient_checkpointing_kwargs: { use_reentrant: false },
      output_dir: "out",
      loss_type: ["sigmoid", "sft"],
      loss_weights: [0.8, 0.2],
      beta: 0.01,
      ld_alpha: null,
      label_smoothing: null,
    };
    const got = await read(recipe);
    expect(got.options).toEqual({ lossType: ["sigmoid", "sft"], lossWeights: [0.8, 0.2], beta: 0.01 });
    expect(got.warnings.join()).toContain("model_name_or_path");
    expect(got).toEqual(await read(JSON.stringify(json), "recipe.json"));
  });

  it("runs, under the options of the command line", () => {
    const path = write("run.yml", recipe);
    const got = loss(["-", "--config", path, "--loss-type", "hinge"], { input: lines(pair) });
    expect(got.losses).toEqual([{ id: "hinge", weight: 1 }]);
    expect(got.options).toMatchObject({ beta: 0.01 });
    expect(got.notes.join("\n")).toContain("loss_weights: left out");
  });

  it.each(["1e-2", "1.0e-2", "+1E-02", ".01", "1_0e-3", "0.01"])("%s is a number", async (text) => {
    expect(await optionsOf(`beta: ${text}`)).toEqual({ beta: 0.01 });
  });

  it.each(["true", "True", "yes", "Yes", "on", "ON"])("%s is true", async (text) => {
    expect(await optionsOf(`reference_free: ${text}`)).toEqual({ referenceFree: true });
  });

  it.each(["", " ~", " null", " Null", " NULL", " # 3"])("beta:%s is absent", async (text) => {
    expect(await optionsOf(`beta:${text}\nlabel_smoothing: 0.1`)).toEqual({ labelSmoothing: 0.1 });
  });

  it("may use anchors and merge mappings", async () => {
    const text = "defaults: &d {beta: 0.3, label_smoothing: &s 0.2}\n<<: *d\nbeta: 0.5\nrun_name: &n x\nproject: *n\n";
    expect(await optionsOf(text)).toEqual({ beta: 0.5, labelSmoothing: 0.2 });
  });

  it.each([
    "---\nbeta: 0.3\n...\n",
    "%YAML 1.2\n---\nbeta: 0.3",
    "\ufeffbeta: 0.3\r\nseed: 1\r\n",
    "{beta: 0.3}",
    '{"beta": 0.3}',
  ])("%j is read", async (text) => {
    expect(await optionsOf(text)).toEqual({ beta: 0.3 });
  });

  it("keeps keys as they are spelt", async () => {
    const { options, warnings } = await read("on: 1\n3: x\n__proto__: {beta: 7}\nbeta: 0.3");
    expect(options).toEqual({ beta: 0.3 });
    expect(warnings.map((text) => text.split(":")[0])).toEqual(["3", "on", "__proto__"]);
  });

  it("is known by its name, and by its text where the name says nothing", async () => {
    expect((await read("beta: 0.3", "recipe")).options).toEqual({ beta: 0.3 });
    expect((await read('{"beta": 0.3, "x": NaN}', "recipe")).options).toEqual({ beta: 0.3 });
    await expect(read("beta: 0.3", "recipe.json")).rejects.toThrow(/recipe\.json:1:1: not JSON: /);
  });
});

describe("refused with their place:", () => {
  it.each([
    ["beta: 0.1\n---\nbeta: 0.2\n", ":2:1: not YAML of a recipe: a second document (---), expected one"],
    ["beta: 0.1\nseed: 1\nbeta: 0.2\n", ":3:1: not YAML of a recipe: duplicate key"],
    ["a: {b: 1,\n b: 2}", ":2:2: not YAML of a recipe: duplicate key"],
    ["beta: !!python/object/apply:os.system [ls]", ":1:7: not YAML of a recipe: a tag (such as !!python/…)"],
    ["a:\n  - !!python/tuple [1]", ":2:5: not YAML of a recipe: a tag"],
    ["beta: !local 1", ":1:7: not YAML of a recipe: a tag"],
    ["beta: !!binary aGk=", ":1:7: not YAML of a recipe: a tag"],
    ["beta: !!int x", ":1:7: not YAML of a recipe: a tag"],
    ["a: !!set {x, y}", ":1:4: not YAML of a recipe: a tag"],
    ["? [a]\n: 1", ":1:3: not YAML of a recipe: a key that is no text"],
    ["a: [1, 2", ":1:9: not YAML of a recipe: "],
    ["a:\n\t- 1", ":2:1: not YAML of a recipe: Tabs are not allowed"],
    ["a: b: c", ":1:4: not YAML of a recipe: "],
    ["beta: *none", ": not YAML of a recipe: Unresolved alias"],
    ["<<: 3", ": not YAML of a recipe: Merge sources must be maps"],
    ["", ": expected an object, got null"],
    ["# nothing", ": expected an object, got null"],
    ["- beta: 0.1", ": expected an object, got an array"],
    ["beta", ": expected an object, got a string"],
    ["seed: 1\nbeta: [0.1]", ":2:1: beta: expected a number, got a plain array"],
    ["seed: 1\nbeta: None", ":2:1: beta: expected a number, got a string"],
    ["seed: 1\nbeta: .nan", ":2:1: beta: expected a number, got NaN"],
    ["seed: 1\n\nbeta: -1", ":3:1: beta: "],
    ["loss_type: [sigmoid, nonsense]", ":1:1: loss_type[1]: expected one of "],
  ])("%j", async (text, problem) => {
    const path = write("refused.yaml", text);
    await expect(readConfig(path, undefined, {})).rejects.toThrow(`${path}${problem}`);
  });

  it("bombs of aliases, in mappings, lists and merges", async () => {
    const bomb = (first: string, use: (name: string) => string): string =>
      [`a0: &a0 ${first}`, ...Array.from({ length: 9 }, (_, i) => `a${i + 1}: &a${i + 1} ${use(`*a${i}`)}`)].join("\n");
    const nine = (alias: string): string => Array(9).fill(alias).join(", ");
    const bombs = [
      bomb("[x]", (alias) => `[${nine(alias)}]`),
      bomb("{x: 1}", (alias) => `{a: ${alias}, b: ${alias}, c: ${alias}, d: ${alias}}`),
      bomb("{x: 1}", (alias) => `{<<: [${nine(alias)}]}`),
    ];
    for (const text of bombs) await expect(read(text)).rejects.toThrow(/recipe\.yaml: not YAML of a recipe: .*alias/);
  });

  it("brackets without end, and texts longer than any recipe", async () => {
    await expect(read("[".repeat(20_000))).rejects.toThrow(/: nested too deeply$/);
    await expect(read(`a: ${"x".repeat(2 ** 15)}`)).rejects.toThrow(/: longer than 32 KiB$/);
  });

  it("and one line on the error stream says so", () => {
    const path = write("twice.yaml", "beta: 0.1\nbeta: 0.2\n");
    const { stderr, status } = run(["loss", "-", "--config", path], { input: lines(pair) });
    expect({ stderr, status }).toEqual({
      stderr: `error: ${path}:2:1: not YAML of a recipe: duplicate key\n`,
      status: 2,
    });
  });
});

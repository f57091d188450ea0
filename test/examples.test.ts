// The examples in README.md and docs/ run as they stand, and those in doc comments among a few names.

import { globSync, readFileSync } from "node:fs";
import { stripTypeScriptTypes } from "node:module";
import { afterEach, describe, expect, test, vi } from "vitest";
import { recordOf } from "../src/checks/record.ts";
import * as diagnosis from "../src/diagnose.ts";
import * as library from "../src/index.ts";
import { lossTable } from "../src/losses/index.ts";
import { createPool } from "../src/pool.ts";
import * as service from "../src/service.ts";
import * as text from "../src/text.ts";
import * as train from "../src/train.ts";
import { blocksOf, filesOf, goesOn, runFile, says, sourceOf, standIn } from "./support/pages.ts";

const AsyncFunction = (async () => {}).constructor as new (
  ...args: string[]
) => (...values: unknown[]) => Promise<unknown>;

// What an example in a doc comment may take for granted.
async function surroundings(): Promise<Record<string, unknown>> {
  const f32 = (...values: number[]): Float32Array => Float32Array.from(values);
  const lengths = { chosenLengths: f32(12, 9), rejectedLengths: f32(10, 14) };
  const reference = { referenceChosen: f32(-11, -8), referenceRejected: f32(-10, -13) };
  return {
    ...library,
    ...train,
    ...service,
    ...text,
    ...diagnosis,
    ...{ createPool, recordOf, options: {} },
    pairs: { policyChosen: f32(-10, -9), policyRejected: f32(-12, -13), ...reference, ...lengths },
    rows: {
      policy: f32(-10, -9),
      reference: f32(-11, -8),
      desirable: Uint8Array.of(1, 0),
      ...{ klPolicy: f32(-12, -13), klReference: f32(-13, -13) },
    },
    tokens: {
      pairs: 1,
      length: 3,
      inputIds: Int32Array.of(1, 2, 3, 1, 3, 2),
      completionMask: Uint8Array.of(0, 1, 1, 0, 1, 1),
    },
    vocab: 4,
    logits: Float32Array.from({ length: 24 }, (_, i) => Math.sin(i)),
    hiddenSize: 2,
    hidden: Float32Array.from({ length: 12 }, (_, i) => Math.cos(i)),
    weight: Float32Array.from({ length: 8 }, (_, i) => Math.sin(i)),
    reference: { logps: Float64Array.of(-2, -3) },
    js: library.createJs(),
    wasm: await library.createWasm(),
    console: { log: () => {} },
  };
}

async function run(code: string): Promise<void> {
  // An example may declare anew what is there already: a block of its own shadows it.
  const body = stripTypeScriptTypes(code).replace(/^\s*import .* from "dpo-kernels(\/\w+)?";$/gm, "");
  const values = await surroundings();
  await new AsyncFunction(...Object.keys(values), `{ ${body}\n }`)(...Object.values(values));
}

describe("doc comments", () => {
  // Those of the adapters and of WebGPU need more: test/adapters/docs.test.ts, test/webgpu/docs.test.ts.
  const files = globSync("src/**/*.ts", { exclude: ["src/adapters/**", "src/backends/webgpu/**"] });
  const examples = files.flatMap((file) =>
    [...readFileSync(file, "utf8").matchAll(/@example\s+([\s\S]*?)(?=\n \*\/|\n \* @|\*\/)/g)].map(([, text = ""]) => ({
      file,
      code: text.replace(/\n \*/g, "\n"),
    })),
  );

  test("every factory and tool of the entry has one", () => {
    expect(examples.length).toBeGreaterThanOrEqual(6);
  });

  test.each(examples.map(({ file, code }, i) => [`${file} (${i})`, code] as const))("%s", (_name, code) => run(code));
});

const pages = [
  "README.md",
  "docs/adapters.md",
  "docs/collate.md",
  "docs/from-trl.md",
  "docs/logps.md",
  "docs/metrics.md",
  "docs/pool.md",
  "docs/scale.md",
  "docs/service.md",
  "docs/text.md",
  "docs/train.md",
  "docs/unpaired.md",
];
// test/webgpu/docs.test.ts, test/runtimes/{pages,workerd,next}.test.ts; docs/losses.md below.
const elsewhere = ["docs/bundlers.md", "docs/edge.md", "docs/losses.md", "docs/webgpu.md"];

for (const library of ["@huggingface/transformers", "onnxruntime-node"]) {
  standIn(library, new URL("support/page-models.ts", import.meta.url).href);
}

test("no page with examples is left out", () => {
  const all = ["README.md", "CONTRIBUTING.md", ...globSync("docs/*.md").map((page) => page.replaceAll("\\", "/"))];
  const shown = all.filter((page) => blocksOf(page).length > 0);
  expect(shown.sort()).toStrictEqual([...pages, ...elsewhere].sort());
});

describe.each(pages)("%s", (page) => {
  const files = filesOf(page);

  afterEach(() => vi.restoreAllMocks());

  test("says which blocks go on from others", () => {
    expect(readFileSync(page, "utf8").includes(goesOn)).toBe(files.length < blocksOf(page).length);
  });

  test.each(files)("block %s", async (blocks, code) => {
    vi.spyOn(console, "warn").mockImplementation(() => {});
    const log = vi.spyOn(console, "log").mockImplementation(() => {});
    const { default: exported } = await runFile(`${page}/${blocks}`, code);
    // What a file exports is for a platform to call.
    if (/^export default/m.test(code)) expect(exported).toMatchObject({ fetch: expect.any(Function) });
    // What it prints is what the comment beside it says.
    for (const [call, comment = ""] of code.matchAll(/^console\.log\(.*\); \/\/ (.*)$/gm)) {
      expect([call, log.mock.calls.some((printed) => says(comment, printed))]).toStrictEqual([call, true]);
    }
  });
});

describe("docs/losses.md", () => {
  const text = readFileSync("docs/losses.md", "utf8");
  const sections = text.split("\n## ").slice(1);
  const functions = sections.flatMap((section) => {
    const code = /```ts\n([\s\S]*?)```/.exec(section)?.[1];
    return code === undefined ? [] : [[section.split("\n")[0] ?? "", code] as const];
  });

  test("shows the function of each loss", () => expect(functions.map(([id]) => id)).toEqual([...library.lossTypes]));

  // What a user copies from there runs with the import that the page names, and nothing else.
  const [imports] = /import \{[^}]*\} from "dpo-kernels"/.exec(text) ?? [];
  test.each(functions)("%s", async (id, code) => {
    const { kind, formula, params } = lossTable[id as library.LossType];
    const exported = await runFile(`docs/losses.md/${id}`, `${imports};\nexport default ${code}`);
    const copy = exported["default"] as (...values: unknown[]) => unknown;
    const defaults = Object.values(params).map((param) => param.default);
    for (const [a, c] of [
      [1.5, -0.25],
      [-30, 2],
      [0, 0],
    ]) {
      const given = kind === "margin" ? [a, ...defaults] : [a, c, ...defaults];
      expect(copy(...given)).toStrictEqual(Reflect.apply(formula, undefined, given));
    }
  });
});

describe("what the documentation imports", () => {
  const entries = JSON.parse(readFileSync("package.json", "utf8")).exports as Record<string, unknown>;
  const files = [
    "README.md",
    "CONTRIBUTING.md",
    ...globSync(["docs/*.md", "src/**/*.ts", "examples/**/*.{ts,js,mjs,html}"]),
  ];
  const imports = files.flatMap((file) =>
    [...readFileSync(file, "utf8").matchAll(/\bimport \{([^}]*)\} from "dpo-kernels(\/[\w.-]+)?"/g)].map(
      ([, names = "", entry = ""]) => ({
        file,
        entry,
        names: names
          .split(",")
          .map((name) => name.replaceAll("*", "").trim())
          .filter((name) => name !== "" && !name.startsWith("type ")),
      }),
    ),
  );

  test("is looked for in the right place", () => {
    expect(new Set(imports.map(({ entry }) => entry)).size).toBeGreaterThanOrEqual(6);
    expect(imports.flatMap(({ names }) => names)).toEqual(expect.arrayContaining(["softplus", "createWasm", "adamw"]));
  });

  test.each([...new Set(imports.map(({ entry }) => entry))])("dpo-kernels%s has it", async (entry) => {
    expect(entries).toHaveProperty([`.${entry}`]);
    const given: object = await import(sourceOf(entry));
    for (const { file: page, names } of imports.filter((one) => one.entry === entry)) {
      for (const name of names) expect({ page, name, exported: name in given }).toMatchObject({ exported: true });
    }
  });
});

describe("what a loss of one's own may use", () => {
  const text = readFileSync("src/losses/define.ts", "utf8");
  const promised = /Defines a loss of your own[\s\S]*?Throws/.exec(text)?.[0] ?? "";
  const code = [...promised.matchAll(/`([^`]+)`/g)].flatMap(([, words = ""]) => words.split(/[^\w.]+/));
  const names = new Set(code.map((word) => word.replace("Math.", "")).filter((word) => /^[a-z]\w{2,}$/.test(word)));

  test("is in the language or in the package", () => {
    expect([...names]).toEqual(expect.arrayContaining(["abs", "log1p", "min", "sigmoid", "softplus", "logsigmoid"]));
    const usable = (name: string): boolean =>
      typeof Reflect.get(Math, name) === "function" || typeof Reflect.get(library, name) === "function";
    expect([...names].filter((name) => !usable(name))).toEqual(["const"]);
  });

  test("keeps its digits where the argument is large", () => {
    const { sigmoid, softplus, logsigmoid } = library;
    expect([sigmoid(-700), softplus(-700), logsigmoid(700)]).toEqual([Math.exp(-700), Math.exp(-700), -Math.exp(-700)]);
    expect([sigmoid(1e4), softplus(1e4), logsigmoid(-1e4)]).toEqual([1, 1e4, -1e4]);
  });
});

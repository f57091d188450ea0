// The examples in doc comments, README.md and docs/ run as they stand.

import { globSync, readFileSync } from "node:fs";
import { stripTypeScriptTypes } from "node:module";
import { describe, expect, test } from "vitest";
import { recordOf } from "../src/checks/record.ts";
import * as diagnosis from "../src/diagnose.ts";
import * as library from "../src/index.ts";
import { lossTable } from "../src/losses/index.ts";
import { createPool } from "../src/pool.ts";
import * as service from "../src/service.ts";
import * as text from "../src/text.ts";
import * as train from "../src/train.ts";
import { languageModel } from "./text/support.ts";

const AsyncFunction = (async () => {}).constructor as new (
  ...args: string[]
) => (...values: unknown[]) => Promise<unknown>;

// What an example may take for granted.
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

async function run(code: string, more: Record<string, unknown> = {}): Promise<void> {
  // An example may declare anew what is there already: a block of its own shadows it.
  const body = stripTypeScriptTypes(code)
    .replace(/^\s*import .* from "(dpo-kernels(\/\w+)?|@huggingface\/transformers|onnxruntime-node)";$/gm, "")
    .replace(/^export default /m, "await ")
    .replaceAll("import.meta.url", "here");
  const values = { here: import.meta.url, ...(await surroundings()), ...more };
  await new AsyncFunction(...Object.keys(values), `{ ${body}\n }`)(...Object.values(values));
}

// What a page's reader pastes into an empty file: what the block imports, and nothing else.
async function runAlone(code: string): Promise<void> {
  const body = stripTypeScriptTypes(code)
    .replace(/^import (\{[^}]*\}) from "dpo-kernels(\/\w+)?";$/gm, 'const $1 = await load["$2"]();')
    .replace(/^export default /m, "await ");
  await new AsyncFunction("load", "console", body)(load, { log: () => {} });
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

// Pages with examples, and what theirs may take for granted beside that. Elsewhere: test/adapters/docs.test.ts,
// test/webgpu/docs.test.ts, test/runtimes/{pages,workerd,next}.test.ts; docs/losses.md below.
const pages: Record<string, Record<string, unknown>> = {
  "docs/logps.md": {},
  "docs/collate.md": collated(),
  "docs/from-trl.md": {},
  "docs/pool.md": {},
  "docs/service.md": {},
  "docs/text.md": scored(),
  "docs/train.md": {},
  "docs/unpaired.md": {},
};
const elsewhere = [
  "README.md",
  "docs/adapters.md",
  "docs/bundlers.md",
  "docs/edge.md",
  "docs/losses.md",
  "docs/webgpu.md",
];

// Models that make nothing of their letters.
function scored(): Record<string, unknown> {
  const vocab = 128;
  const model = ({ rows, length }: text.ModelBatch) => new Float32Array(rows * length * vocab);
  const own = text.createScorer({ model, vocab, backend: library.createJs() });
  return { ...languageModel(), vocab, own };
}

// A model over 31 ids that gives zeros.
function collated(): Record<string, unknown> {
  const examples = [
    { prompt: [1, 15, 7], chosen: [8, 9, 2], rejected: [4, 2] },
    { prompt: [1, 30], chosen: [5, 2], rejected: [6, 11, 3, 2] },
  ];
  const tokens = library.collate(examples);
  const vocab = 31;
  const runModel = async ({ inputIds }: { inputIds: Int32Array }) => new Float32Array(inputIds.length * vocab);
  class Tensor {
    constructor(type: string, data: BigInt64Array, dims: number[]) {
      expect([type, data.length]).toStrictEqual(["int64", dims.reduce((product, n) => product * n, 1)]);
    }
  }
  const session = { run: async () => ({ logits: {} }) };
  return { examples, tokens, vocab, runModel, logps: new Float64Array(4), ort: { Tensor }, session };
}

const blocksOf = (page: string): string[] =>
  [...readFileSync(page, "utf8").matchAll(/```(?:js|ts)\n([\s\S]*?)```/g)].map(([, code = ""]) => code);

test("no page with examples is left out", () => {
  const all = ["README.md", "CONTRIBUTING.md", ...globSync("docs/*.md").map((page) => page.replaceAll("\\", "/"))];
  const shown = all.filter((page) => blocksOf(page).length > 0);
  expect(shown.sort()).toStrictEqual([...Object.keys(pages), ...elsewhere].sort());
});

describe.each(Object.entries(pages))("%s", (page, more) => {
  test.each(blocksOf(page).map((code, i) => [i + 1, code] as const))("example %i", (_i, code) => run(code, more));
});

describe("README.md", () => {
  test.each(blocksOf("README.md").map((code, i) => [i + 1, code] as const))("example %i", (_i, code) => runAlone(code));
});

describe("docs/losses.md", () => {
  const text = readFileSync("docs/losses.md", "utf8");
  const sections = text.split("\n## ").slice(1);
  const functions = sections.flatMap((section) => {
    const code = /```ts\n([\s\S]*?)```/.exec(section)?.[1];
    return code === undefined ? [] : [[section.split("\n")[0] ?? "", code] as const];
  });

  test("shows the function of each loss", () => expect(functions.map(([id]) => id)).toEqual([...library.lossTypes]));

  // What a user copies from there runs with what the package exports and nothing else.
  test.each(functions)("%s", (id, code) => {
    const { kind, formula, params } = lossTable[id as library.LossType];
    const { softplus, sigmoid, logsigmoid, log1mexpDiff } = library;
    const names = ["softplus", "sigmoid", "logsigmoid", "log1mexpDiff"];
    const copy = new Function(...names, `return ${code}`)(softplus, sigmoid, logsigmoid, log1mexpDiff);
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

const load: Record<string, () => Promise<object>> = {
  "": async () => library,
  "/js": () => import("../src/js.ts"),
  "/train": async () => train,
  "/pool": () => import("../src/pool.ts"),
  "/service": async () => service,
  "/text": async () => text,
  "/diagnose": async () => diagnosis,
  "/webgpu": () => import("../src/webgpu.ts"),
  "/onnxruntime": () => import("../src/adapters/onnxruntime.ts"),
  "/tfjs": () => import("../src/adapters/tfjs.ts"),
  "/jax": () => import("../src/adapters/jax.ts"),
};

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
    const given = (await load[entry]?.()) ?? {};
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

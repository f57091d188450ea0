// The examples in README.md, docs/ and doc comments run as they stand.

import { globSync, readFileSync } from "node:fs";
import { afterEach, describe, expect, test, vi } from "vitest";
import * as library from "../src/index.ts";
import { lossTable } from "../src/losses/index.ts";
import { blocksOf, filesOf, goesOn, runFile, says, sourceOf, standIn } from "./support/pages.ts";

describe("doc comments", () => {
  // Those of the adapters and of WebGPU need more: test/adapters/docs.test.ts, test/webgpu/docs.test.ts.
  const files = globSync("src/**/*.ts", { exclude: ["src/adapters/**", "src/backends/webgpu/**"] });
  const examples = files.flatMap((file) =>
    [...readFileSync(file, "utf8").matchAll(/@example\s+([\s\S]*?)(?=\n\s*\*\/|\n\s*\* @|\*\/)/g)].map(
      ([, text = ""]) => ({
        file,
        code: text.replace(/\n\s*\* */g, "\n"),
      }),
    ),
  );

  afterEach(() => vi.restoreAllMocks());

  test("every factory and tool of the entry has one", () => {
    expect(examples.length).toBeGreaterThanOrEqual(25);
  });

  test.each(examples.map(({ file, code }, i) => [`${file} (${i})`, code] as const))("%s", async (name, code) => {
    await runAndCompare(name, code);
  });
});

/** Runs a file of blocks; what it prints is what the comment beside the call says. Gives what it exports. */
async function runAndCompare(name: string, code: string): Promise<Record<string, unknown>> {
  const log = vi.spyOn(console, "log").mockImplementation(() => {});
  const exported = await runFile(name, code);
  for (const [call, comment = ""] of code.matchAll(/^console\.log\(.*\); \/\/ (.*)$/gm)) {
    expect([call, log.mock.calls.some((printed) => says(comment, printed))]).toStrictEqual([call, true]);
  }
  return exported;
}

const pages = [
  "README.md",
  "docs/adapters.md",
  "docs/batches.md",
  "docs/benchmarks.md",
  "docs/collate.md",
  "docs/explained.md",
  "docs/from-trl.md",
  "docs/logps.md",
  "docs/metrics.md",
  "docs/pool.md",
  "docs/scale.md",
  "docs/service.md",
  "docs/text.md",
  "docs/train.md",
  "docs/tutorial.md",
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
    const { default: exported } = await runAndCompare(`${page}/${blocks}`, code);
    // What a file exports is for a platform to call.
    if (/^export default/m.test(code)) expect(exported).toMatchObject({ fetch: expect.any(Function) });
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

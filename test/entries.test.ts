// What each entry of the package brings along, and what it leaves out.

import { execFileSync, spawnSync } from "node:child_process";
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { dist, loadedWith, sourceMapOf, sourcesWith } from "./support/built.ts";

/** The files that come with an entry, at once or later. */
function everythingFrom(file: string, seen = new Set<string>()): Set<string> {
  if (seen.has(file) || !file.endsWith(".js")) return seen;
  seen.add(file);
  for (const [, chunk = ""] of read(file).matchAll(/["`]\.\/([\w.-]+)["`]/g)) everythingFrom(chunk, seen);
  return seen;
}

const read = (file: string): string => readFileSync(join(dist, file), "utf8");
const chunks = globSync("*.js", { cwd: dist });

describe("dpo-kernels/js", () => {
  test("is made of no source that has to do with WebAssembly, workers or WebGPU", () => {
    const sources = sourcesWith("js.js");
    expect(sources).toContain("src/backends/js/js.ts");
    expect(sources.filter((path) => /wasm|pool|worker|webgpu/i.test(path))).toEqual([]);
    expect([...loadedWith("js.js")].filter((file) => read(file).includes("WebAssembly."))).toEqual([]);
  });

  test("exports what the main entry does, but for the factories that choose or load WebAssembly", async () => {
    const [all, js] = await Promise.all(
      ["index.js", "js.js"].map((file) => import(/* @vite-ignore */ join(dist, file))),
    );
    expect(Object.keys(all).filter((name) => !(name in js))).toEqual(["createBackend", "createWasm"]);
    expect(Object.keys(js).filter((name) => js[name] !== all[name])).toEqual([]);
  });

  test("works where there is no WebAssembly", () => {
    const program = `
      delete globalThis.WebAssembly;
      const { createJs, fromTrl } = await import("./js.js");
      const pairs = { policyChosen: [-3], policyRejected: [-4], referenceChosen: [-3], referenceRejected: [-4] };
      for (const name in pairs) pairs[name] = Float32Array.from(pairs[name]);
      console.log(createJs().pairLoss(pairs, fromTrl({ loss_type: "sigmoid" }).loss).loss.toFixed(6));
    `;
    const args = ["--input-type=module", "--eval", program];
    expect(execFileSync(process.execPath, args, { cwd: dist, encoding: "utf8" })).toBe("0.693147\n");
  });
});

const forTheEdge = [
  "workerd.js",
  "edge-light.js",
  "pool.edge.js",
  "service.workerd.js",
  "service.edge-light.js",
  "text.workerd.js",
  "text.edge-light.js",
  "diagnose.workerd.js",
  "diagnose.edge-light.js",
];

describe.each(forTheEdge)("%s, for the edge", (file) => {
  const all = everythingFrom(file);

  test("holds no copy of the kernels, no worker, no WebGPU", () => {
    const maps = [...all].filter((chunk) => read(chunk).includes("//# sourceMappingURL=")).map(sourceMapOf);
    const sources = maps.flatMap((map) => map.sources);
    expect(sources.filter((path) => /kernels[\w-]*\.gen|worker\.ts|webgpu|pool\/pool/.test(path))).toEqual([]);
  });

  test("compiles nothing, which bundlers for the edge refuse", () => {
    const makesCode = /WebAssembly\.(compile|instantiate)|new WebAssembly\.Module|\beval\(|new Function|import\.meta/;
    expect([...all].filter((chunk) => makesCode.test(read(chunk)))).toEqual([]);
  });
});

test.each([
  ["workerd.js", "./kernels.wasm"],
  ["edge-light.js", "./kernels.wasm?module"],
])("%s imports the module as a file, and exports what the main entry does", (file, module) => {
  expect([...loadedWith(file)].map(read).join("\n")).toContain(`from"${module}"`);
  const names = (code: string): string[] =>
    [...(/export\{([^}]*)\}/.exec(code)?.[1] ?? "").matchAll(/as (\w+)/g)].map(([, name = ""]) => name).sort();
  expect(names(read(file))).toEqual(names(read("index.js")));
});

describe("dpo-kernels/train", () => {
  test("is made of no loss", () => {
    const sources = sourcesWith("train.js");
    expect(sources).toContain("src/train/adamw.ts");
    // Ranges of numbers are written as those of the losses are.
    expect(sources.filter((path) => path.startsWith("src/losses/"))).toEqual(["src/losses/ranges.ts"]);
    expect(sources.filter((path) => /plan|divergences|backend|pool|loss-synonyms/.test(path))).toEqual([]);
  });
});

describe("what a debugger shows", () => {
  test.each(chunks.filter((file) => read(file).includes("//# sourceMappingURL=")))(
    "%s has its sources in its map",
    (file) => {
      const { sources, sourcesContent } = sourceMapOf(file);
      const own = sources.flatMap((path, k) =>
        path.startsWith("../src/") ? [[path, sourcesContent[k]] as const] : [],
      );
      for (const [path, text] of own) expect(text).toBe(readFileSync(join(dist, path), "utf8"));
      expect(sourcesContent).toHaveLength(sources.length);
    },
  );

  test("every file with code has a map", () => {
    const without = chunks.filter((file) => !read(file).includes("//# sourceMappingURL="));
    const isBare = (code: string): boolean => code.replaceAll(/(?:import|export)[^;]*;|\/\/.*/g, "").trim() === "";
    expect(without.filter((file) => !isBare(read(file)))).toEqual([]);
  });

  test("functions and classes keep their names", async () => {
    const exports = await import(join(dist, "index.js"));
    const unlike = Object.keys(exports).filter(
      (name) => typeof exports[name] === "function" && exports[name].name !== name,
    );
    expect(unlike).toEqual([]);
  });

  test("a stack names functions, and with source maps the source and its line", () => {
    const program =
      'import { collate } from "./index.js"; try { collate([{}]) } catch (error) { console.log(error.stack) }';
    const run = (...flags: string[]): string =>
      execFileSync(process.execPath, [...flags, "--input-type=module", "--eval", program], {
        cwd: dist,
        encoding: "utf8",
      });
    expect(run()).toMatch(/at collate \(/);
    expect(run("--enable-source-maps")).toMatch(/at collate \(.*src\/collate\/collate\.ts:\d+:\d+\)/);
  });

  test("an error that nobody catches prints a short line, then its message", () => {
    const program = 'import { createJs } from "./index.js"; createJs().pairLoss({}, { beta: -1 });';
    const { stderr } = spawnSync(process.execPath, ["--input-type=module", "--eval", program], {
      cwd: dist,
      encoding: "utf8",
    });
    expect(stderr).toMatch(/^ParamError: beta: expected/m);
    expect(stderr.indexOf("ParamError: ")).toBeLessThan(1500);
    expect(Math.max(...stderr.split("\n").map((line) => line.length))).toBeLessThan(1000);
  });
});

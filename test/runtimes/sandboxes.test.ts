// Engines that lack something: Vercel's edge-runtime, without an edge's bundler, and QuickJS, which has no WebAssembly.

import { expect } from "vitest";
import { whereThereIs } from "../support/where-there-is.ts";
import { conforming } from "./support/conformance.ts";
import { fallsBack, row } from "./support/matrix.ts";
import { noTools, project, tool } from "./support/projects.ts";

const program = `
  import { createBackend, createJs, createWasm } from "dpo-kernels";
  import { createPool } from "dpo-kernels/pool";
  import { conformance, errorOf } from "./conformance.js";
  globalThis.report = (async () => ({
    js: await errorOf(() => conformance(createJs)),
    wasm: await errorOf(() => createWasm()),
    pairs: await errorOf(() => conformance(createBackend)),
    linear: await errorOf(() => conformance(() => createBackend({ for: "linear" }))),
    pool: await errorOf(() => createPool({ workers: 2 })),
  }))().then(JSON.stringify);
`;

/** One script, as a tool makes it that knows nothing of the place. */
async function bundle(name: string): Promise<string> {
  const folder = project(name, { "main.js": program });
  const { build } = await tool<{ build(options: object): Promise<{ outputFiles: { text: string }[] }> }>("esbuild");
  const { outputFiles } = await build({
    absWorkingDir: folder,
    entryPoints: ["main.js"],
    bundle: true,
    write: false,
    format: "iife",
    target: "es2020",
    logLevel: "error",
  });
  return outputFiles[0]?.text ?? "";
}

const unavailable = expect.objectContaining({ name: "BackendError", code: "unavailable" });

/** All that asks for nothing works, and says why it is no more than that. */
const fallenBack = (reason: RegExp): unknown => ({
  js: conforming("js"),
  wasm: unavailable,
  pairs: conforming("js", reason),
  linear: conforming("js", reason),
  pool: unavailable,
});

interface Vm {
  evaluate(code: string): unknown;
}

interface QuickJs {
  newContext(): {
    evalCode(code: string): { error?: unknown; value?: { dispose(): void } };
    dump(handle: unknown): unknown;
    runtime: { executePendingJobs(): unknown };
  };
}

whereThereIs("engines that lack something", noTools, () => {
  row("Vercel's edge-runtime, bundled for no place", "edge-runtime", async () => {
    const { EdgeVM } = await tool<{ EdgeVM: new () => Vm }>("@edge-runtime/vm");
    const vm = new EdgeVM();
    vm.evaluate(await bundle("edge-runtime"));
    expect(JSON.parse((await vm.evaluate("report")) as string)).toEqual(
      fallenBack(/^plain JavaScript: wasm: the built-in module cannot be unpacked here \(DecompressionStream is not/),
    );
    return fallsBack;
  });

  row("QuickJS", "QuickJS", async () => {
    const { getQuickJS } = await tool<{ getQuickJS(): Promise<QuickJs> }>("quickjs-emscripten");
    const context = (await getQuickJS()).newContext();
    const run = (code: string): unknown => {
      const { error, value } = context.evalCode(code);
      if (error) throw new Error(JSON.stringify(context.dump(error)));
      return context.dump(value);
    };
    run(await bundle("quickjs"));
    run("report.then((text) => { globalThis.text = text; }, (error) => { globalThis.text = String(error); });");
    context.runtime.executePendingJobs();
    expect(JSON.parse(String(run("text")))).toEqual(
      fallenBack(/^plain JavaScript: wasm: this engine has no WebAssembly SIMD/),
    );
    return fallsBack;
  });
});

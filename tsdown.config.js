import { basename, dirname, join } from "node:path";
import { rolldown } from "rolldown";
import { replacePlugin } from "rolldown/plugins";
import { defineConfig } from "tsdown";
import { thirdPartyLicences } from "./scripts/licences.ts";

// Small, and still readable where it matters: functions and classes keep their names in stack traces, and source maps carry the
// sources, so that a debugger, or `node --enable-source-maps`, shows the code. scripts/build.ts breaks the lines.
const minify = { compress: true, mangle: { keepNames: true }, codegen: { removeWhitespace: true } };
const comments = { annotation: true, legal: true, jsdoc: false };

const resolve = { mainFields: ["module", "main"] };

// Sources run as they are, next to a worker in TypeScript; what is built lies next to a built one.
const workerUrl = replacePlugin({ '"../../worker.ts"': '"./worker.js"' }, { delimiters: ["", ""], sourcemap: true });

// The modules lie beside the entries that import them; what bundles those makes modules of the files.
const wasmFiles = {
  name: "wasm-files",
  resolveId: {
    filter: { id: /\.wasm(\?module)?$/ },
    handler: (id) => ({ id: `./${basename(id)}`, external: "absolute" }),
  },
};

// The benchmark measures the package's entries as they are. Bundled with them it would share their chunks: rolldown then splits the pool's
// module from its entry, and a page that Rollup made of that waits for itself.
const entries = {
  name: "entries",
  resolveId: {
    filter: { id: /^\.{1,2}\/.*\.ts$/ },
    handler(id, importer = "") {
      const [, name] =
        /\/src\/(index|pool|pool\.edge|train|webgpu|workerd)\.ts$/.exec(join(dirname(importer), id)) ?? [];
      return name && { id: `./${name}.js`, external: "absolute" };
    },
  },
};

// The pool has the worker's text too, for where its file is not found.
const workerText = {
  name: "worker-text",
  resolveId: { filter: { id: /\/worker-source\.ts$/ }, handler: () => "worker-text" },
  load: {
    filter: { id: /^worker-text$/ },
    async handler() {
      const bundle = await rolldown({ input: "src/worker.ts", resolve, platform: "neutral" });
      const { output } = await bundle.generate({ format: "esm", minify, comments, codeSplitting: false });
      return `export const source = ${JSON.stringify(output[0].code)};`;
    },
  },
};

const licences = thirdPartyLicences();

/** Modules of src/, not their types. */
const modules = (names) => new RegExp(`/src/(${names})(?<!\\.d)\\.ts$`);

// Fewer files than entries would share by themselves: each has its imports, and its own dictionary in gzip.
// measured: js.js with its chunks 46.8 KB gzip so, 49.9 KB without.
const groups = [
  {
    name: "base",
    priority: 3,
    test: modules(
      "errors|messages|checks/(lists|numbers|refusals|printable|hints|record|views|training-synonyms)|from-trl/(train|enums)|inputs/(floats|lora)|losses/ranges",
    ),
  },
  { name: "memory", priority: 3, test: modules("kernels/(memories|shared-module)") },
  // js.ts re-exports alone: by itself it would be one more file of the main entry.
  { name: "js", priority: 1, test: modules("js|from-trl/.*") },
  { name: "create", priority: 1, test: modules("backends/(select|wasm/create)") },
  { name: "choose", priority: 1, test: modules("kernels/features|backends/(choose|wasm/factory)") },
  {
    name: "core",
    priority: 2,
    test: modules(
      "(backends/js|calls(?!/bind-later)|collate|cpu|inputs|losses)/.*|plan/(running-mean|plan|needs|divergences)|checks/(memory|loss-synonyms)",
    ),
  },
];

// comlink is bundled: a page without a bundler has no import map for its workers.
const shared = {
  format: "esm",
  minify,
  outputOptions: { comments },
  sourcemap: true,
  target: "es2022",
  platform: "neutral",
  inputOptions: { checks: { pluginTimings: false }, resolve },
  fixedExtension: false,
};

export default defineConfig([
  // The library, and the chunks that its entries share or load when they need them: the relaxed module, linear losses, the pool.
  {
    ...shared,
    entry: {
      index: "src/index.ts",
      js: "src/js.ts",
      webgpu: "src/webgpu.ts",
      train: "src/train.ts",
      onnxruntime: "src/adapters/onnxruntime.ts",
      tfjs: "src/adapters/tfjs.ts",
      jax: "src/adapters/jax.ts",
      pool: "src/pool.ts",
      workerd: "src/workerd.ts",
      "edge-light": "src/edge-light.ts",
      "pool.edge": "src/pool.edge.ts",
      diagnose: "src/diagnose.ts",
      "diagnose.workerd": "src/diagnose.workerd.ts",
      "diagnose.edge-light": "src/diagnose.edge-light.ts",
      service: "src/service.ts",
      "service.workerd": "src/service.workerd.ts",
      "service.edge-light": "src/service.edge-light.ts",
      text: "src/text.ts",
      "text.workerd": "src/text.workerd.ts",
      "text.edge-light": "src/text.edge-light.ts",
    },
    dts: true,
    clean: true,
    plugins: [workerUrl, wasmFiles, workerText, licences],
    outputOptions: { comments, codeSplitting: { groups } },
    deps: { alwaysBundle: [/^comlink/] },
  },
  {
    ...shared,
    entry: {
      bench: "src/bench.ts",
      "bench-run": "src/bench/child.ts",
      "bench-page": "src/bench/page/page.ts",
      "bench-workerd": "src/bench/workerd.ts",
    },
    dts: true,
    clean: false,
    plugins: [entries, wasmFiles, licences],
    outputOptions: { comments },
  },
  // The worker: one file, so that a bundler may copy it and a strict content policy name it.
  {
    ...shared,
    entry: { worker: "src/worker.ts" },
    dts: true,
    clean: false,
    plugins: [licences],
    deps: { alwaysBundle: [/.*/] },
    outputOptions: { codeSplitting: false, comments },
  },
  // The command line: what it needs is bundled into its one file; it starts the worker beside it.
  {
    ...shared,
    entry: { cli: "src/cli/main.ts" },
    platform: "node",
    dts: false,
    clean: false,
    plugins: [workerUrl, licences],
    deps: { alwaysBundle: [/.*/] },
    outputOptions: { codeSplitting: false, comments },
  },
]);

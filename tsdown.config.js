import { replacePlugin } from "rolldown/plugins";
import { defineConfig } from "tsdown";
import { thirdPartyLicences } from "./scripts/licences.ts";

// Sources run as they are, next to a worker in TypeScript; what is built lies next to a built one.
const workerUrl = replacePlugin({ '"../../worker.ts"': '"./worker.js"' }, { delimiters: ["", ""], sourcemap: true });

const licences = thirdPartyLicences();

// Small, and still readable where it matters: functions and classes keep their names in stack traces, and source maps carry the
// sources, so that a debugger, or `node --enable-source-maps`, shows the code. Lines are given up for the limit of 44 KB.
// measured: index.js with its chunks 42.1 KB gzip so, about 47 KB with lines.
const minify = { compress: true, mangle: { keepNames: true }, codegen: { removeWhitespace: true } };
const comments = { annotation: true, legal: true, jsdoc: false };

// comlink is bundled: a page without a bundler has no import map for its workers.
const shared = {
  format: "esm",
  minify,
  outputOptions: { comments },
  sourcemap: true,
  target: "es2022",
  platform: "neutral",
  inputOptions: { checks: { pluginTimings: false }, resolve: { mainFields: ["module", "main"] } },
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
    },
    dts: true,
    clean: true,
    plugins: [workerUrl, licences],
    deps: { alwaysBundle: [/^comlink/] },
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

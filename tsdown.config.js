import { defineConfig } from "tsdown";

const shared = {
  format: "esm",
  minify: true,
  target: "es2022",
  platform: "neutral",
  inputOptions: { checks: { pluginTimings: false } },
  fixedExtension: false,
};

export default defineConfig([
  // The library: no dependencies, one chunk more for the relaxed module, and one that the adapters share with it.
  {
    ...shared,
    entry: {
      index: "src/index.ts",
      webgpu: "src/webgpu.ts",
      onnxruntime: "src/adapters/onnxruntime.ts",
      tfjs: "src/adapters/tfjs.ts",
      jax: "src/adapters/jax.ts",
    },
    dts: true,
    clean: true,
  },
  // The command line: what it needs is bundled into its one file, and the library is taken from beside it.
  {
    ...shared,
    entry: { cli: "src/cli/main.ts" },
    platform: "node",
    dts: false,
    clean: false,
    deps: { alwaysBundle: [/.*/] },
    outputOptions: { codeSplitting: false },
  },
]);

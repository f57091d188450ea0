// Writes every generated file from the definitions of the losses; `--check` only compares, for CI.

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { printAssembly } from "../src/print/assembly.ts";
import { printHost } from "../src/print/host.ts";
import { printWgsl } from "../src/print/wgsl.ts";
import { printErrors, printLosses } from "./generate/docs.ts";
import { kernels, loggedKernels, variants } from "./generate/kernels.ts";
import { lossPlots } from "./generate/plots.mjs";

const processorKernels = [...kernels, ...variants, ...loggedKernels];
const root = new URL("../", import.meta.url);
const files: Record<string, string> = {
  "assembly/losses.gen.ts": printAssembly(processorKernels),
  "src/plan/constants.gen.ts": printHost(processorKernels),
  "src/backends/webgpu/losses.gen.ts": printWgsl(kernels),
  "docs/losses.md": printLosses(),
  "docs/errors.md": printErrors(),
  ...lossPlots(),
};

const stale = Object.entries(files).filter(([path, text]) => {
  try {
    return readFileSync(new URL(path, root), "utf8") !== text;
  } catch {
    return true;
  }
});

if (process.argv.includes("--check")) {
  for (const [path] of stale) console.error(`${path} does not match its source: run \`npm run generate\``);
  process.exitCode = stale.length > 0 ? 1 : 0;
} else {
  mkdirSync(new URL("docs/losses", root), { recursive: true });
  for (const [path, text] of stale) writeFileSync(new URL(path, root), text);
  console.log(`${Object.keys(files).length} generated files, ${stale.length} written`);
}

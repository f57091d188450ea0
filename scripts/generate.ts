// Writes every generated file from the definitions of the losses; `--check` only compares, for CI.

import { readFileSync, writeFileSync } from "node:fs";
import { jsDivergence, powerDivergence } from "../src/divergences.ts";
import type { Loss, MarginLoss, PairLoss } from "../src/losses/define.ts";
import { losses } from "../src/losses/index.ts";
import { printAssembly } from "./generate/assembly.ts";
import { printErrors, printLosses } from "./generate/docs.ts";
import { printHost } from "./generate/host.ts";
import { type Kernel, lossKernel, marginKernel } from "./generate/kernel.ts";
import { printWgsl } from "./generate/wgsl.ts";

// The sorted losses and sft have no kernel of their own: AOT's is that of the margin loss around which it sorts.
const hasKernel = (loss: Loss): loss is MarginLoss | PairLoss =>
  !("likelihood" in loss || ("margin" in loss && loss.sorted));
const pairwise = (Object.values(losses) as Loss[]).filter(hasKernel);

const kernels: Kernel[] = [
  ...pairwise.map((loss) => lossKernel(loss, `src/losses/${loss.id.replaceAll("_", "-")}.ts`)),
  marginKernel("js", jsDivergence, [], "src/divergences.ts"),
  marginKernel("power", powerDivergence, ["k", "cap"], "src/divergences.ts"),
];

const files: Record<string, string> = {
  "assembly/losses.gen.ts": printAssembly(kernels),
  "src/backend/constants.gen.ts": printHost(kernels),
  "src/webgpu/losses.gen.ts": printWgsl(kernels),
  "docs/losses.md": printLosses(),
  "docs/errors.md": printErrors(),
};

const root = new URL("../", import.meta.url);
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
  for (const [path, text] of stale) writeFileSync(new URL(path, root), text);
  console.log(`${Object.keys(files).length} generated files, ${stale.length} written`);
}

// dpo-kernels doctor: which backends run here, and for the others why not, in words for a person who reports a bug.

import { availableParallelism } from "node:os";
import type { Command } from "commander";
import { type Diagnosis, diagnose } from "../diagnose.ts";
import { frame, toJson } from "./report.ts";

/** Adds the command `doctor`. */
export function addDoctor(program: Command): void {
  program
    .command("doctor")
    .description("Which backends run here and give the right number, and for the others why not.")
    .option("--json", "print one JSON object")
    .action(async ({ json }: { json?: true }) => {
      // Node 20 has no navigator, and says it here.
      const report = { ...(await diagnose()), cores: availableParallelism() };
      console.log(json ? toJson(report) : print(report));
      if (!report.backends.some(({ runs }) => runs)) process.exitCode = 1;
    });
}

function print({ backends, chosen, noCompile, ...place }: Diagnosis): string {
  const yes = (is: boolean): string => (is ? "yes" : "no");
  const facts = [
    ["dpo-kernels", place.version],
    ["runtime", place.runtime],
    ["platform", `${place.platform}, ${place.cores} cores`],
    ["WebAssembly SIMD", yes(place.simd)],
    ["relaxed SIMD", yes(place.relaxedSimd)],
    ["bytes may be compiled", noCompile === undefined ? "yes" : `no: ${noCompile}`],
    ["SharedArrayBuffer", yes(place.sharedArrayBuffer)],
    ["threads", yes(place.threads)],
    ["Float16Array", yes(place.float16Array)],
    ["navigator.gpu", yes(place.webgpu)],
  ];
  const rows = backends.map(({ backend, runs, reason }) => [backend, yes(runs), reason]);
  return [
    frame(facts),
    frame([["backend", "runs", "why"], ...rows], { rules: [1] }),
    `createBackend({ for: "pairs" }) takes ${chosen}`,
  ].join("\n");
}

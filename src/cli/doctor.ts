// dpo-kernels doctor: which backends run here, and for the others why not.

import { availableParallelism } from "node:os";
import type { Command } from "commander";
import packageJson from "../../package.json" with { type: "json" };
import { createBackend, createJs, createWasm } from "../index.ts";
import { hasRelaxedSimd, hasSimd } from "../kernels/load.ts";
import { createPool } from "../pool.ts";
import type { AsyncBackend, Backend } from "../types.ts";
import { createWebGpu } from "../webgpu.ts";
import { frame, toJson } from "./report.ts";

type AnyBackend = Backend | AsyncBackend;

interface Finding {
  backend: string;
  /** It starts, and its number is right. */
  runs: boolean;
  /** What it says of itself, or why it does not run. */
  reason: string;
}

const candidates: Readonly<Record<string, () => AnyBackend | Promise<AnyBackend>>> = {
  "wasm, relaxed SIMD": () => (hasRelaxedSimd() ? createWasm({ relaxed: true }) : lacking("relaxed SIMD")),
  "wasm, SIMD": () => (hasSimd() ? createWasm({ relaxed: false }) : lacking("WebAssembly SIMD")),
  js: createJs,
  pool: () => createPool(),
  webgpu: () => createWebGpu(),
};

function lacking(feature: string): never {
  throw new Error(`this engine has no ${feature}`);
}

/** Adds the command `doctor`. */
export function addDoctor(program: Command): void {
  program
    .command("doctor")
    .description("Which backends run here and give the right number, and for the others why not.")
    .option("--json", "print one JSON object")
    .action(async ({ json }: { json?: true }) => {
      const report = await examine();
      console.log(json ? toJson(report) : print(report));
      if (!report.backends.some(({ runs }) => runs)) process.exitCode = 1;
    });
}

async function examine() {
  const backends: Finding[] = [];
  for (const [name, create] of Object.entries(candidates)) backends.push(await tryBackend(name, create));
  const chosen = await createBackend({ for: "pairs" }).catch(() => undefined);
  return {
    version: packageJson.version,
    runtime: runtime(),
    platform: `${process.platform} ${process.arch}`,
    cores: availableParallelism(),
    simd: hasSimd(),
    relaxedSimd: hasRelaxedSimd(),
    sharedArrayBuffer: typeof SharedArrayBuffer === "function",
    backends,
    chosen: chosen?.name,
  };
}

// DPO of five pairs with log-ratios that differ by d nats: the mean of log(1 + e^(-d/10)).
const zeros = new Float32Array(5);
const pairs = {
  policyChosen: Float32Array.of(-40, -10, 0, 10, 40),
  policyRejected: zeros,
  referenceChosen: zeros,
  referenceRejected: zeros,
};
const expected = 1.2711940822864018;

// Two tokens of 2^19 equal logits: as many as a pool takes to its workers.
const logits = {
  tokens: { pairs: 1, offsets: Int32Array.of(0, 1, 2), targets: Int32Array.of(0, 7) },
  vocab: 2 ** 19,
  logits: new Float32Array(2 ** 20),
};

async function tryBackend(name: string, create: () => AnyBackend | Promise<AnyBackend>): Promise<Finding> {
  try {
    const backend = await create();
    const { loss } = await backend.pairLoss(pairs, { lossType: "sigmoid", beta: 0.1 });
    const [logp = 0] = (await backend.sequenceLogps(logits)).logps;
    await backend.dispose();
    const wrong = (got: number, want: number): string | undefined =>
      Math.abs(got - want) < 1e-5 ? undefined : `gives a wrong number: expected ${want}, got ${got}`;
    const reason = wrong(loss, expected) ?? wrong(logp, -19 * Math.LN2);
    return { backend: name, runs: reason === undefined, reason: reason ?? backend.reason };
  } catch (error) {
    return { backend: name, runs: false, reason: error instanceof Error ? error.message : String(error) };
  }
}

function print({ backends, chosen, ...machine }: Awaited<ReturnType<typeof examine>>): string {
  const yes = (is: boolean): string => (is ? "yes" : "no");
  const facts = [
    ["dpo-kernels", machine.version],
    ["runtime", machine.runtime],
    ["platform", `${machine.platform}, ${machine.cores} cores`],
    ["WebAssembly SIMD", yes(machine.simd)],
    ["relaxed SIMD", yes(machine.relaxedSimd)],
    ["SharedArrayBuffer", yes(machine.sharedArrayBuffer)],
  ];
  const rows = backends.map(({ backend, runs, reason }) => [backend, yes(runs), reason]);
  return [
    frame(facts),
    frame([["backend", "runs", "why"], ...rows], { rules: [1] }),
    `createBackend({ for: "pairs" }) takes ${chosen ?? "none"}`,
  ].join("\n");
}

function runtime(): string {
  const { bun, deno, node, v8 } = process.versions;
  if (bun) return `Bun ${bun}`;
  return deno ? `Deno ${deno}, V8 ${v8}` : `Node ${node}, V8 ${v8}`;
}

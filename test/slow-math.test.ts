// Every float32 through the functions of assembly/math.ts: holds the error bounds that its comments state, on both
// builds, each in a thread of its own. Two to four minutes; SLOW_STRIDE=1009 takes every 1009th number instead.

import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import { describe, expect, test } from "vitest";
import { hasRelaxedSimd } from "../src/kernels/features.ts";
import type { Sweep, Swept, Task } from "./support/sweep-worker.ts";

const stride = Number(process.env["SLOW_STRIDE"] ?? 1);
const timeout = 20 * 60_000;

const everyFloat = { first: 0, last: 0xffffffff };
/** Even and odd functions: half of the numbers, and that the other half has the same. */
const everySize = { first: 0, last: 0x7fffffff, isMirrored: true };
const sweeps: Record<string, Sweep> = {
  exp_x4: { name: "exp", ...everyFloat },
  exp_neg_abs_x4: { name: "exp_neg_abs", ...everySize },
  expm1_x4: { name: "expm1", ...everyFloat },
  tanh_x4: { name: "tanh", ...everySize },
  "softplus_log_x4 from 0 up": { name: "softplus_log", first: 0, last: 0x7f800000 },
  "log1p_x4 on [0, 1]": { name: "log1p", first: 0, last: 0x3f800000 },
};

const builds = [
  {
    target: "simd",
    file: "sweep.wasm",
    bounds: { exp: 0.98, exp_neg_abs: 0.98, expm1: 1.61, tanh: 4, log1p: 3.77, softplus_log: 4 },
  },
  {
    target: "relaxed",
    file: "sweep-relaxed.wasm",
    bounds: { exp: 1.01, exp_neg_abs: 1.01, expm1: 1.61, tanh: 4, log1p: 3.77, softplus_log: 4 },
  },
] as const;

function compile(target: string, file: string): WebAssembly.Module {
  const root = new URL("../", import.meta.url);
  const asc = fileURLToPath(new URL("node_modules/assemblyscript/bin/asc.js", root));
  const config = "assembly/__tests__/sweep.asconfig.json";
  execFileSync(process.execPath, [asc, "--config", config, "--target", target], { cwd: root, stdio: "inherit" });
  return new WebAssembly.Module(readFileSync(new URL(`build/${file}`, root)));
}

async function sweep(target: string, file: string): Promise<Swept[]> {
  const workerData: Task = { module: compile(target, file), sweeps: Object.values(sweeps), stride };
  const worker = new Worker(new URL("support/sweep-worker.ts", import.meta.url), { workerData });
  const [swept] = await once(worker, "message");
  return swept;
}

describe.each(builds)("$target build", ({ target, file, bounds }) => {
  const missing = target === "relaxed" && !hasRelaxedSimd();
  const results = missing ? Promise.resolve([]) : sweep(target, file);

  for (const [range, { name }] of Object.entries(sweeps)) {
    const bound = bounds[name as keyof typeof bounds];
    const title = `${range} has an error of at most ${bound} ulp and makes no denormals`;
    test.skipIf(missing)(title, { timeout }, async () => {
      const swept = (await results).find((result) => result.name === name);
      expect(swept?.error, `at ${swept?.input}`).toBeLessThanOrEqual(bound);
      expect(swept).toMatchObject({ denormals: 0, asymmetries: 0 });
    });
  }
});

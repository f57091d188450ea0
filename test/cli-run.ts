// Runs the command line as a child process, for cli*.test.ts.

import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, expect, vi } from "vitest";
import type { Group } from "../src/cli/groups.ts";
import type { Margins } from "../src/cli/margins.ts";

// A process takes its time to start on a machine that is busy.
vi.setConfig({ testTimeout: 60_000 });

export const root = fileURLToPath(new URL("..", import.meta.url));
export const dataPath = "examples/data/hh-stories260k-logps.jsonl";
export const dataLines = readFileSync(join(root, dataPath), "utf8").trim().split("\n");
/** Of this test file; gone when it ends. */
export const folder = mkdtempSync(join(tmpdir(), "dpo-kernels-cli-"));
afterAll(() => rmSync(folder, { recursive: true }));

interface Run {
  status: number | null;
  stdout: string;
  stderr: string;
}

/** Node itself runs the sources: the bundle is tested with the package. */
export function run(args: readonly string[], { input = "", flags = [] as string[] } = {}): Run {
  const command = [...flags, "--disable-warning=ExperimentalWarning", "src/cli/main.ts", ...args];
  return spawnSync(process.execPath, command, { cwd: root, input, encoding: "utf8" });
}

/** Flags for a process that stands still for ever at a call of node:fs/promises for whose `args` the condition holds. */
export function standingStill(name: "rename" | "appendFile", condition: string): string[] {
  const code = `import fs from "node:fs/promises";
import { syncBuiltinESMExports } from "node:module";
const real = fs.${name};
fs.${name} = (...args) => (${condition}) ? new Promise(() => setInterval(() => {}, 1000)) : real(...args);
syncBuiltinESMExports();`;
  return ["--import", `data:text/javascript,${encodeURIComponent(code)}`];
}

/** What `loss` prints with --json. */
export interface Printed {
  file: string;
  pairs: number;
  batches: number;
  loss: number | string;
  gradNorm: number;
  metrics: Record<string, number>;
  files?: string[];
  losses: { id: string; weight?: number }[];
  each?: { id: string; loss: number; gradNorm: number }[];
  options: { rewardShift?: unknown };
  margins?: Margins;
  groups?: Group[];
  backend: { name: string; reason: string };
  notes: string[];
}

/** `loss` with --json, which must succeed. */
export function loss(args: readonly string[], options?: { input?: string; flags?: string[] }): Printed {
  const { stdout, stderr, status } = run(["loss", ...args, "--json"], options);
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  expect(stdout.trim().split("\n")).toHaveLength(1);
  return JSON.parse(stdout) as Printed;
}

/** Writes a file into the folder and returns its path. */
export function write(name: string, content: string | Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

export const pair = {
  policy_chosen_logps: -10,
  policy_rejected_logps: -20,
  ref_chosen_logps: -12,
  ref_rejected_logps: -19,
};
/** JSON lines; strings stand as they are. */
export const lines = (...pairs: unknown[]): string =>
  pairs.map((one) => (typeof one === "string" ? one : JSON.stringify(one))).join("\n");

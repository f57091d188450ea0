// Runs linear-memory-child.ts.

import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { LinearMemory } from "./linear-memory-child.ts";

const child = fileURLToPath(new URL("linear-memory-child.ts", import.meta.url));

interface Task {
  backend: string;
  rows: number;
  width: number;
  vocab: number;
  calls: number;
  /** Bytes of logits that a call may keep. */
  keep?: number;
}

export function linearMemory({ backend, rows, width, vocab, calls, keep = -1 }: Task): LinearMemory {
  const flags = ["--expose-gc", "--disable-warning=ExperimentalWarning"];
  const sizes = [rows, width, vocab, calls, keep].map(String);
  const { stdout, stderr } = spawnSync(process.execPath, [...flags, child, backend, ...sizes], { encoding: "utf8" });
  if (stdout === "") throw new Error(stderr);
  return JSON.parse(stdout) as LinearMemory;
}

// A Node process with a pool ends when it has nothing else to do, disposed of or not; never before a call has its answer.

import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const child = fileURLToPath(new URL("support/exit-child.ts", import.meta.url));

describe.each(["shared", "transfer"])("memory: %s", (memory) => {
  it.each([
    ["unused", "done\n"],
    ["idle", "done\n"],
    ["disposed", "done\n"],
    ["working", "done\nanswered\n"],
    ["aborted", "done\n"],
  ])(
    "a pool that is %s",
    (state, output) => {
      const flags = ["--disable-warning=ExperimentalWarning"];
      const { stdout, stderr, status, signal } = spawnSync(process.execPath, [...flags, child, state, memory], {
        encoding: "utf8",
        timeout: 20_000,
      });
      expect({ stdout, stderr, status, signal }).toEqual({ stdout: output, stderr: "", status: 0, signal: null });
    },
    30_000,
  );
});

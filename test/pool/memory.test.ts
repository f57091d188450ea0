// Memory is flat over 10,000 calls that workers do, refused ones among them: measured in a process of its own.

import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import type { Growth } from "./support/memory-child.ts";

const MB = 2 ** 20;
const child = fileURLToPath(new URL("support/memory-child.ts", import.meta.url));

it.each(["shared", "transfer"])(
  "10,000 calls leave nothing behind: %s",
  (memory) => {
    const flags = ["--expose-gc", "--disable-warning=ExperimentalWarning"];
    const { stdout, stderr } = spawnSync(process.execPath, [...flags, child, memory], { encoding: "utf8" });
    if (stdout === "") throw new Error(stderr);
    const { heap, external, resident, shared } = JSON.parse(stdout) as Growth;
    expect(heap).toBeLessThan(MB);
    expect(external).toBeLessThan(MB);
    expect(shared).toBe(0);
    // Pages that the allocators of three threads keep; the logits of these calls are twice as much.
    expect(resident).toBeLessThan(64 * MB);
  },
  60_000,
);

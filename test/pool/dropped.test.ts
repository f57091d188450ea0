// A pool that nobody holds any more lets its workers go, without dispose; not while one of its functions is held or a call runs.

import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";

const child = fileURLToPath(new URL("support/dropped-child.ts", import.meta.url));

it.each(["shared", "transfer"])(
  "memory: %s",
  (memory) => {
    const flags = ["--expose-gc", "--disable-warning=ExperimentalWarning"];
    const { stdout, stderr } = spawnSync(process.execPath, [...flags, child, memory], {
      encoding: "utf8",
      timeout: 50_000,
    });
    expect(stderr).toBe("");
    expect(JSON.parse(stdout)).toEqual({
      afterDrop: 0,
      whileKept: 1,
      works: 2,
      afterLast: 0,
      loss: true,
      afterCall: 0,
    });
  },
  60_000,
);

// Memory of calls with 64 MB of logits beyond the caller's arrays and the results, and of many calls: measured in a process of its
// own for each backend.

import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { hasSimd } from "../src/kernels/features.ts";
import type { Report } from "./support/logits-memory-child.ts";
import { scenes } from "./support/logits-scenes.ts";

const child = fileURLToPath(new URL("support/logits-memory-child.ts", import.meta.url));

function report(backend: string): Report {
  const flags = ["--expose-gc", "--disable-warning=ExperimentalWarning"];
  const { stdout, stderr } = spawnSync(process.execPath, [...flags, child, backend], { encoding: "utf8" });
  if (stdout === "") throw new Error(stderr);
  return JSON.parse(stdout) as Report;
}

const MB = 2 ** 20;

// The relaxed module has the plain one's memory and its JavaScript.
describe.each(["js", "wasm"])("%s", (backend) => {
  it.skipIf(backend === "wasm" && !hasSimd())(
    "a call takes at most 2 MB and 96 bytes per counted token; 2,000 calls leave nothing behind",
    () => {
      const { figures, kept, wasm } = report(backend);
      expect(figures.map(({ scene }) => scene)).toEqual(Object.keys(scenes));
      const own = backend === "wasm" ? wasm[0] : 0;
      const over = figures.flatMap(({ scene, buffers, heap, resident = 0, counted }) => {
        const most = 2 * MB + 96 * counted;
        // The process grows by whole pages and by code that is compiled meanwhile.
        const isOver = buffers + heap + own > most || resident > most + MB;
        return isOver ? [`${scene}: ${JSON.stringify({ buffers, heap, own, resident, most })}`] : [];
      });
      expect(over).toEqual([]);
      expect(figures[0]?.buffers).toBeGreaterThan(4 * (figures[0]?.counted ?? 0));
      expect(kept).toBeLessThan(MB / 4);
      expect(wasm[1]).toBe(wasm[0]);
    },
    60_000,
  );
});

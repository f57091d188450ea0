// Memory of a long training: measured in a process of its own, which collects garbage before it counts.

import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";

const child = fileURLToPath(new URL("support/trainer-memory-child.ts", import.meta.url));

it("1,000 steps with evaluations and checkpoints leave nothing behind", () => {
  const flags = ["--expose-gc", "--disable-warning=ExperimentalWarning"];
  const { stdout, stderr } = spawnSync(process.execPath, [...flags, child], { encoding: "utf8" });
  if (stdout === "") throw new Error(stderr);
  const figures: number[] = JSON.parse(stdout);
  // Code is compiled in the first steps, and some is dropped and compiled again later.
  const least = (from: number, to: number): number => Math.min(...figures.slice(from, to));
  expect(figures.length).toBe(20);
  // The metrics of 1,000 steps, kept, would be 300 KB.
  expect(least(15, 20) - least(5, 10)).toBeLessThan(2 ** 17);
}, 120_000);

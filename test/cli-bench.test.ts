// dpo-kernels bench, in this Node: as a user runs it.

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { BenchResult } from "../src/bench/types.ts";
import { folder, run } from "./cli-run.ts";

const quick = ["bench", "--quick", "--no-peers", "--cases", "pairs/sigmoid/8", "logits/both/4x100"];

test("prints a table", () => {
  const { status, stdout } = run(quick);
  expect(status).toBe(0);
  expect(stdout).toMatch(/^node \d+\.\d+\.\d+, .*GB\/s, .* multiply-adds a ns\n/);
  expect(stdout).toContain("│ case");
  for (const word of ["pairs/sigmoid/8, a pair", "logits/both/4x100, a logit", "relaxed", "allocate", "own", "js"]) {
    expect(stdout).toContain(word);
  }
});

test("prints a result as JSON, and nothing else", () => {
  const { status, stdout, stderr } = run([...quick, "--format", "json", "--seed", "5"]);
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  const result = JSON.parse(stdout) as BenchResult;
  expect(result).toMatchObject({ schema: 1, runtime: { name: "node" }, settings: { quick: true, seed: 5 } });
  expect(new Set(result.figures.map((figure) => figure.case))).toEqual(new Set(quick.slice(4)));
  expect(result.machine.load).toHaveLength(2);
  expect(result.machine.cores).toBeGreaterThan(0);
});

test("writes a file of the runtime's name; processor time is said to be that", () => {
  const out = join(folder, "results");
  const { status, stdout } = run([...quick, "--out", out, "--processor-time"]);
  expect(status).toBe(0);
  const [name = ""] = readdirSync(out);
  expect(name).toBe(`bench-node${process.versions.node.split(".")[0]}.json`);
  const { notes, settings } = JSON.parse(readFileSync(join(out, name), "utf8")) as BenchResult;
  expect(settings.processorTime).toBe(true);
  expect(notes.some((note) => note.startsWith("times are of the processor"))).toBe(true);
  expect(stdout).toContain(`${name} written`);
});

test("a loss on one thread, first of a process that has loaded nothing", () => {
  const { stdout } = run(["bench", "--quick", "--no-peers", "--cases", "start/import/8", "--format", "json"]);
  const { figures, skipped } = JSON.parse(stdout) as BenchResult;
  expect(skipped.filter((item) => item.case !== undefined)).toEqual([]);
  expect(figures.map(({ candidate }) => candidate)).toEqual(["plain", "relaxed", "js"]);
});

test.each([
  [["--cases", "pairs/nonsense/8"], "error: cases: expected one of pairs/sigmoid/…"],
  [["--cases", "logits/both/3x8"], "error: cases: expected rows x vocabulary, an even number of rows"],
  [["--format", "xml"], "error: option '--format <name>' argument 'xml' is invalid"],
])("%j is refused", (args, message) => {
  const { status, stderr } = run(["bench", ...args]);
  expect(status).toBe(2);
  expect(stderr).toContain(message);
});

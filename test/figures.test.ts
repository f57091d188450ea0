// Figures in README and docs/performance.md are those of the files that they name, and none is without one.

import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { stale, texts } from "../scripts/bench-pictures.ts";
import { measured, unsourced, withDigits, written } from "../scripts/figures.ts";

test("pictures, tables and digits are those of bench/results", () => {
  expect(stale().map(([path]) => path)).toStrictEqual([]);
});

test.each(texts)("%s has no measured figure without a source", (path) => {
  expect(measured(unsourced(readFileSync(path, "utf8")))).toStrictEqual([]);
});

describe("the check itself", () => {
  test("finds what is typed by hand", () => {
    const typed =
      "takes 2.6 ns, 9x or 9.2 times as long, 40 GFLOP/s, 12 ms and 3×; 512 × 32,000 logits, 30 pairs, Node 26";
    expect(measured(unsourced(typed))).toStrictEqual(["2.6 ns", "9x", "9.2 times", "40 GFLOP/s", "12 ms", "3×"]);
    const sourced =
      "[2.6 ns](bench/results/x.json#a:b)\n<!-- figures: speed -->\n3 ns\n<!-- /figures -->\n```\n4 ns\n```\n";
    expect(measured(unsourced(sourced))).toStrictEqual([]);
  });

  test("writes a file's digits into a link, and refuses a place that is not there", () => {
    const link = (text: string, place: string) => `[${text}](bench/results/trainer-node26.json#${place})`;
    const { rows } = JSON.parse(readFileSync("bench/results/trainer-node26.json", "utf8"));
    const place = "/rows/linearLoss%20+%20adamw/median";
    expect(withDigits(link("1 ms", place))).toContain("[");
    expect(withDigits(link("9.9", place))).toBe(link(rows[0].median.toFixed(0), place));
    expect(() => withDigits(link("1 ms", "/rows/nobody/median"))).toThrow("#/rows/nobody/median: expected a number");
    expect([
      written("9 ns", 2.64),
      written("9 ms", 2.64e6),
      written("9 %", 0.941),
      written("9e-6", 1.2e-6),
    ]).toStrictEqual(["2.6 ns", "2.6 ms", "94 %", "1e-6"]);
  });
});

// Figures in README, docs and the examples' pages are those of the files that they name, and none is without one.

import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { stale, texts } from "../scripts/bench-pictures.ts";
import { measured, unsourced, withDigits, written } from "../scripts/figures.ts";
import { limits, ofOthers, sums } from "./support/limits-in-docs.ts";

test("pictures, tables and digits are those of bench/results", () => {
  expect(stale().map(([path]) => path)).toStrictEqual([]);
});

/** A page's text, of which it is known that it says so, without it. */
const without = (text: string, said: string, path: string): string => {
  expect(text, `${path} has to say it, or it goes from test/support/limits-in-docs.ts`).toContain(said);
  return text.replaceAll(said, "");
};

test.each(texts)("%s has no figure without a source, and the limits that it states are those", (path) => {
  const known = [...(limits[path] ?? []), ...(sums[path] ?? []), ...Object.entries(ofOthers[path] ?? {})];
  const rest = known.reduce((text, [said]) => without(text, said, path), readFileSync(path, "utf8"));
  expect(measured(unsourced(rest))).toStrictEqual([]);
  for (const [said, file, source] of limits[path] ?? []) expect(readFileSync(file, "utf8"), said).toContain(source);
  for (const [said, value] of sums[path] ?? []) {
    const number = Number(/[\d.,]+/.exec(said)?.[0].replaceAll(",", ""));
    expect(Math.abs(number / value - 1), `${said}: ${value}`).toBeLessThan(0.025);
  }
});

test("known numbers are of pages that there are, and the laboratory says when and on what it measured", () => {
  for (const path of [limits, sums, ofOthers].flatMap(Object.keys)) expect(texts).toContain(path);
  const laboratory = readFileSync("docs/laboratory.md", "utf8");
  expect(laboratory).toMatch(/It is history[^.]*2026-11-22 to 2026-11-30[^.]*Xeon/);
});

describe("the check itself", () => {
  test("finds what is typed by hand", () => {
    const typed =
      "takes 2.6 ns, 9x or 9.2 times as long, 40 GFLOP/s, 12 ms and 3×; 512 × 32,000 logits, 30 pairs, Node 26";
    expect(measured(unsourced(typed))).toStrictEqual(["2.6 ns", "9x", "9.2 times", "40 GFLOP/s", "12 ms", "3×"]);
    const more =
      "5 % in 3 s or 2 minutes, 71 KB, 1.5 GiB, 100 MB/s, 31,000 pairs a second, 9 per second; 8 bytes, 3 sets";
    expect(measured(unsourced(more))).toStrictEqual([
      "5 %",
      "3 s",
      "2 minutes",
      "71 KB",
      "1.5 GiB",
      "100 MB/s",
      "31,000 pairs a second",
      "9 per second",
    ]);
    const spelt =
      "2.6 nanoseconds, 12 milliseconds, 3 μs, 4 us, 40 GFLOPS, 2-fold, 9 per cent, 7 percent, 5 million pairs a second, 30,000 pairs/s, 2 msec";
    expect(measured(unsourced(spelt))).toStrictEqual(spelt.split(/, (?=\d)/));
    const table =
      "Text.\n\n| | ns per pair | at |\n| --- | --- | --- |\n| sigmoid | 2.6 | x |\n| ipo | 3.1; 4 | 2 x |\n\n| n |\n| --- |\n| 5 |\n";
    expect(measured(unsourced(table))).toStrictEqual(["2 x", "2.6", "3.1; 4"]);
    const sourced =
      "[2.6 ns](bench/results/x.json#a:b)\n<!-- figures: speed -->\n3 ns\n<!-- /figures -->\n```\n4 ns\n```\n`5 ms` [6 ms](laboratory.md#pool)\n";
    expect(measured(unsourced(sourced))).toStrictEqual([]);
  });

  test("writes a file's digits into a link, and refuses a place that is not there", () => {
    const link = (text: string, place: string) => `[${text}](bench/results/trainer-node26.json#${place})`;
    const { rows } = JSON.parse(readFileSync("bench/results/trainer-node26.json", "utf8"));
    const place = "/rows/linearLoss%20+%20adamw/median";
    expect(withDigits(link("1 ms", place))).toContain("[");
    expect(withDigits(link("9.9", place))).toBe(link(rows[0].median.toFixed(0), place));
    expect(() => withDigits(link("1 ms", "/rows/nobody/median"))).toThrow("#/rows/nobody/median: expected a number");
    expect(withDigits(link("9 ms", place))).toBe(link(`${rows[0].median.toFixed(0)} ms`, place));
    const thousandth = `${(rows[0].median / 1000).toPrecision(2)} ms`;
    expect(withDigits(link("9 ms", `${place}*0.001`))).toBe(link(thousandth, `${place}*0.001`));
    expect([
      written("9 ns", 2.64),
      written("9 ms", 2.64e6),
      written("9 %", 0.941),
      written("9e-6", 1.2e-6),
    ]).toStrictEqual(["2.6 ns", "2.6 ms", "94 %", "1e-6"]);
  });
});

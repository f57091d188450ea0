// What the docs' pictures and tables compare, from results that have more and less than those that are committed.

import { describe, expect, test } from "vitest";
import { runtimesPicture } from "../scripts/bench-pictures.ts";
import { acrossRuntimes, allResults, workersOf } from "../scripts/comparisons.ts";
import { withBlocks } from "../scripts/figure-blocks.ts";
import { stacked } from "../scripts/stacked.ts";
import type { BenchResult, Figure } from "../src/bench/types.ts";
import { resultOf } from "./support/rounds.ts";

const figure = (name: string, candidate: string, median: number, more: Partial<Figure> = {}): Figure => ({
  case: name,
  group: "pairs",
  candidate,
  ours: /^(plain|relaxed|js|pool)/.test(candidate),
  arrays: "allocate",
  unit: "pair",
  units: Number(name.split("/")[2]),
  median,
  lower: median,
  upper: median,
  min: median,
  rounds: [median],
  error: { value: 1e-7, of: "a loss" },
  ...more,
});

const on = (name: string, version: string, figures: readonly Figure[]): BenchResult => ({
  ...resultOf(figures),
  runtime: { name, version, clockStep: 0.001 },
});

const [small, large] = ["pairs/sigmoid/8", "pairs/sigmoid/1000"];
const results = [
  on("node", "26.1.0", [
    figure(small, "relaxed", 9),
    figure(large, "relaxed", 2),
    figure(large, "js", 50),
    figure(large, "jax-js", 40),
  ]),
  on("webkit", "2.5", [figure(small, "plain", 8), figure(large, "plain", 3)]),
  on("workerd", "1.2", [figure(small, "plain", 7)]),
];

describe("runtimes", () => {
  test("are compared by the case that most of them did, of several by the largest", () => {
    expect(acrossRuntimes(results, "pairs/sigmoid")).toMatchObject({
      case: small,
      runtimes: ["node 26", "webkit 2", "workerd 1"],
    });
    const two = acrossRuntimes(results.slice(0, 2), "pairs/sigmoid");
    expect(two?.case).toBe(large);
    expect(two?.rows.map(({ label }) => label)).toStrictEqual(["relaxed", "jax-js", "plain"]);
    expect(acrossRuntimes(results, "logits/both")).toBeUndefined();
  });

  test("have a row each in the picture, whatever they lack", () => {
    const picture = runtimesPicture(results);
    for (const text of ["node 26", "webkit 2", "workerd 1", ">relaxed<", ">plain<"]) expect(picture).toContain(text);
    expect(runtimesPicture(results.slice(2))).toContain("workerd 1");
    expect(runtimesPicture([])).toMatch(/^<svg [^>]*height="0"/);
  });

  test("stand in order, and native yardsticks are none of them", () => {
    const names = allResults().map(({ runtime: { name, version } }) => [name, Number.parseInt(version, 10)] as const);
    const nodes = names.filter(([name]) => name === "node").map(([, version]) => version);
    expect(names.slice(0, nodes.length)).toStrictEqual(nodes.sort((a, b) => a - b).map((version) => ["node", version]));
    expect(new Set(names.map(String)).size).toBe(names.length);
  });
});

test("workers are compared with the quickest call on this thread, over the same arrays", () => {
  const pool = (candidate: string, median: number, arrays: Figure["arrays"]) =>
    figure("pool/pairs/1000", candidate, median, { group: "pool", arrays });
  const result = on("node", "26.1.0", [
    ...[
      pool("plain", 5, "allocate"),
      pool("relaxed", 4, "allocate"),
      pool("pool-2", 2, "allocate"),
      pool("pool-1", 5, "allocate"),
    ],
    ...[pool("relaxed", 8, "own"), pool("pool-2", 4, "own")],
  ]);
  expect(workersOf(result)).toStrictEqual([
    {
      case: "pool/pairs/1000",
      arrays: "allocate",
      speedups: [
        [1, 0.8],
        [2, 2],
      ],
    },
    { case: "pool/pairs/1000", arrays: "own", speedups: [[2, 2]] },
  ]);
  const page = withBlocks("<!-- figures: workers -->\nold\n<!-- /figures -->", result);
  expect(page).toContain(
    "| `pool/pairs/1000` | `pool.allocate` | 0.80 | 2.0 |\n| `pool/pairs/1000` | your own |  | 2.0 |",
  );
  expect(page).not.toContain("old");
  expect(() => withBlocks("<!-- figures: nothing -->\n<!-- /figures -->", result)).toThrow("figures: expected one of");
});

test("what has not been measured yet is said to be missing, and blocks of files come from them", () => {
  const result = on("node", "26.1.0", []);
  const block = (name: string): string => withBlocks(`<!-- figures: ${name} -->\n<!-- /figures -->`, result);
  for (const name of ["planted", "yardsticks", "sizes"])
    expect(block(name)).toMatch(/Not among the committed results\.|\| --- \|/);
  expect(block("transform")).toMatch(/forward pass [\d.]+ to [\d.]+ times as long, both passes [\d.]+ to [\d.]+/);
});

test("pictures stand below one another, with room for legends of several lines", () => {
  const picture = '<svg height="100"></svg>';
  const one = stacked([
    { title: "a < b", picture },
    { title: "b", picture },
  ]);
  expect(one).toContain("a &lt; b");
  expect(Array.from(one.matchAll(/<svg x="0" y="(\d+)"/g), ([, y]) => Number(y))).toStrictEqual([28, 168]);
  const names = Array.from({ length: 12 }, (_, k) => `a long name of a series ${k}`);
  const many = stacked([{ title: "a", picture, legend: names, isRing: (name) => name.endsWith("1") }]);
  expect(many.match(/<circle [^>]*fill="none"/g)?.length).toBe(2);
  const places = Array.from(many.matchAll(/<circle cx="([\d.]+)" cy="(\d+)"/g), ([, x, y]) => [Number(x), Number(y)]);
  expect(Math.max(...places.map(([x = 0]) => x))).toBeLessThan(720 - 7 * 24);
  expect(new Set(places.map(([, y]) => y)).size).toBeGreaterThan(2);
  expect(Number(/<svg x="0" y="(\d+)"/.exec(many)?.[1])).toBeGreaterThan(Math.max(...places.map(([, y = 0]) => y)));
});

// `bench --report`: a page of its own, from any set of results.

import { describe, expect, test } from "vitest";
import type { BenchResult, Figure } from "../src/bench/types.ts";
import { rooflinePart } from "../src/cli/bench/report/bounds.ts";
import { benchPage, mainOf } from "../src/cli/bench/report/page.ts";
import { movedApart, rooflinePlot } from "../src/cli/bench/report/roofline.mjs";
import { bytesText, namesOf, rowsOf, threeDigits, timeText } from "../src/cli/bench/report/rows.ts";
import { resultOf } from "./support/rounds.ts";

const figure = (name: string, candidate: string, median: number, more: Partial<Figure> = {}): Figure => ({
  case: name,
  group: "pairs",
  candidate,
  ours: /^(plain|relaxed|js|pool)/.test(candidate),
  arrays: "allocate",
  unit: "pair",
  units: 1000,
  median,
  lower: 0.9 * median,
  upper: 1.2 * median,
  min: 0.8 * median,
  rounds: [median, median],
  error: { value: 1e-7, of: "a loss, relative" },
  ...more,
});

const figures = [
  ...[8, 1024, 65536].flatMap((units) =>
    ["plain", "relaxed", "js", "tfjs-wasm"].map((candidate, k) =>
      figure(`pairs/sigmoid/${units}`, candidate, 2 + 7 * k, {
        units,
        work: { bytes: 28 * units, flops: 56 * units, bound: "bandwidth" },
        ...(k < 2 ? { share: { of: "bandwidth", value: 0.5 } } : {}),
      }),
    ),
  ),
  ...["pool-1", "pool-2"].map((candidate, k) => figure("pool/both/512x32000", candidate, 2 - k, { scratch: 1e6 })),
];

const on = (name: string, version: string, all: readonly Figure[] = figures): BenchResult => ({
  ...resultOf(all),
  runtime: { name, version, clockStep: 0.001 },
  skipped: [{ candidate: "webgpu", why: "no <adapter>" }],
  notes: ["a busy machine"],
});

const headings = (page: string): string[] => Array.from(page.matchAll(/<h2>(.*?)<\/h2>/g), ([, text = ""]) => text);

describe("the page", () => {
  test("has every part that the results have figures for, and each figure in its table", async () => {
    const page = await benchPage([on("node", "26.1.0"), on("firefox", "140.0")]);
    expect(headings(page)).toStrictEqual([
      "Speed",
      "Runtimes",
      "What bounds it",
      "Share of the limits",
      "Size",
      "Workers",
      "Memory",
      "Exactness",
      "All figures",
      "Not measured",
    ]);
    expect(page.match(/<td>pairs\/sigmoid\/1024<\/td>/g)?.length).toBe(8);
    expect(page).toContain(`<summary>${2 * figures.length} figures</summary>`);
    expect(page).toContain("firefox 140: a busy machine");
  });

  test("leaves out what they have none for", async () => {
    const page = await benchPage([on("deno", "2.1.0", [figure("pairs/sigmoid/8", "relaxed", 2)])]);
    expect(headings(page)).toStrictEqual(["Exactness", "All figures", "Not measured"]);
    expect(headings(await benchPage([]))).toStrictEqual(["All figures"]);
  });

  test("asks nothing of the network, and names of results are text", async () => {
    const page = await benchPage([on("node", "26.1.0", [...figures, figure("pairs/<b>/8", "<i>", 2)])]);
    expect(page.replaceAll("http://www.w3.org/", "")).not.toMatch(/https?:|<script|<link|@import|url\(/);
    expect(page).not.toMatch(/<b>|<i>|<adapter>/);
    expect(page).toContain("no &lt;adapter&gt;");
  });
});

test("names that objects have by themselves, and those of patterns, are names like others", async () => {
  const names = ["constructor/toString/8", "pairs/$&$`/8"];
  const page = await benchPage([
    on(
      "__proto__",
      "1.0",
      names.flatMap((name) => ["constructor", "__proto__"].map((one) => figure(name, one, 2))),
    ),
  ]);
  expect(page).toContain("<h3>constructor/toString (constructor/toString/8)</h3>");
  expect(page).toContain("loss and gradients: $&amp;$` (");
  expect(page).not.toContain("[native code]");
});

describe("the roofline", () => {
  const result = { ...on("node", "26.1.0"), limits: { bandwidth: 10, plain: 20, relaxed: 30 } };

  test("has operations a byte and billions of them a second, of the largest case, ours from allocate where it can be", () => {
    const own = { ...figure("pairs/sigmoid/65536", "plain", 99), ...figures[8], median: 99, arrays: "own" as const };
    const drawn: Parameters<typeof rooflinePlot>[] = [];
    const draw = (...args: Parameters<typeof rooflinePlot>) => `${drawn.push(args)}`;
    rooflinePart(draw, rowsOf([{ ...result, figures: [own, ...figures] }]), result);
    const [[points, names, limits] = [[], [], undefined]] = drawn;
    expect(points.map(({ label, ours, intensity, rate }) => [label, ours, intensity, rate])).toStrictEqual([
      ["plain", true, 2, 56 / 2],
      ["relaxed", true, 2, 56 / 9],
      ["js", true, 2, 56 / 16],
      ["tfjs-wasm", false, 2, 56 / 23],
    ]);
    expect(names).toStrictEqual(["plain", "relaxed", "js", "tfjs-wasm"]);
    expect(limits).toStrictEqual({
      bandwidth: 10,
      roofs: [
        { name: "relaxed", peak: 60 },
        { name: "plain", peak: 40 },
      ],
    });
  });

  test("draws both limits, every runtime's own, and nothing where there is no limit", async () => {
    const page = await benchPage([result, on("webkit", "2.5")]);
    expect(page.match(/reads 10 GB\/s/g)?.length).toBe(2);
    expect([page.match(/>plain 40</g)?.length, page.match(/>relaxed 60</g)?.length]).toStrictEqual([2, 1]);
    expect(page).toContain("<details><summary>webkit 2</summary>");
    expect(rooflinePart(rooflinePlot, rowsOf([result]), { ...result, limits: { bandwidth: 0, plain: 0 } })).toBe("");
  });

  test("columns that would coincide stand side by side, others where they are", () => {
    expect(movedApart([0, 10, 10, 40], 4)).toStrictEqual([0, 8, 12, 40]);
    expect(movedApart([5, 5, 5], 2)).toStrictEqual([3, 5, 7]);
    expect(movedApart([], 2)).toStrictEqual([]);
  });
});

test("a time of 0, as a coarse clock may give, is in the table and in no picture", async () => {
  const page = await benchPage([on("workerd", "1.2", [...figures, figure("pairs/sigmoid/65536", "jax-js", 0)])]);
  expect(page).toContain("<td>jax-js</td>");
  expect(page.match(/<svg[\s\S]*?<\/svg>/g)?.join("")).not.toMatch(/NaN|Infinity|jax-js/);
});

test("what all runs say, with other digits, is said once", async () => {
  const noted = (name: string, note: string): BenchResult => ({ ...on(name, "1.0"), notes: [note] });
  const page = await benchPage([
    noted("deno", "busy: 1.2 more"),
    noted("bun", "busy: 3 more"),
    noted("node", "coarse"),
  ]);
  expect(page.match(/<li>[^<]*(busy|coarse)[^<]*/g)).toStrictEqual([
    "<li>deno 1, bun 1: busy: 1.2 more",
    "<li>node 1: coarse",
  ]);
});

test("the newest Node stands for the others, and runs of one runtime are told apart", () => {
  const names = namesOf([on("node", "9.1.0"), on("node", "26.1.0"), on("node", "26.2.0"), on("workerd", "2026-11-17")]);
  expect(names).toStrictEqual(["node 9", "node 26", "node 26 (2)", "workerd 2026"]);
  expect(mainOf(names)).toBe("node 26");
  expect(mainOf(["bun 1"])).toBe("bun 1");
});

test("numbers for people", () => {
  expect([0.6312, 2.6, 1234, 5.6e6, 2e9].map(timeText)).toStrictEqual([
    "0.631 ns",
    "2.6 ns",
    "1.23 µs",
    "5.6 ms",
    "2 s",
  ]);
  expect([12, 4.9e6, 1.25e9].map(bytesText)).toStrictEqual(["12 B", "4.9 MB", "1.25 GB"]);
  expect([0, 123.4, 0.1234].map(threeDigits)).toStrictEqual(["0", "123", "0.123"]);
});

// `bench --report`: a page of its own, from any set of results.

import { describe, expect, test } from "vitest";
import type { BenchResult, Figure } from "../src/bench/types.ts";
import { benchPage, mainOf } from "../src/cli/bench/report/page.ts";
import { bytesText, namesOf, threeDigits, timeText } from "../src/cli/bench/report/rows.ts";
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

test("the newest Node stands for the others, and runs of one runtime are told apart", () => {
  const names = namesOf([on("node", "9.1.0"), on("node", "26.1.0"), on("node", "26.2.0"), on("bun", "1.4.0")]);
  expect(names).toStrictEqual(["node 9", "node 26", "node 26 (2)", "bun 1"]);
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

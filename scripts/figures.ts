// Figures in texts: each is a link to the file and the place that it comes from, or stands in a block that is generated from one.
//
// `[2.6 ns](bench/results/bench-node26.json#pairs/sigmoid/1000000:relaxed)`: the median of a candidate; `relaxed+own` on the caller's
// arrays; `tfjs-wasm/relaxed` how many times as long one takes as the other; `relaxed.error` its error, `relaxed.share` how much of the
// machine's limit it reaches. `linear/both/*` is the shape that the pictures show. In other files of results a place is a path, whose parts
// are keys or names, `#/rows/createTrainer's step/median`, in the file's units; `*100` after it multiplies.

import { readFileSync } from "node:fs";
import type { BenchResult, Figure } from "../src/bench/types.ts";
import { largest } from "../src/cli/bench/report/parts.ts";
import { rowsOf } from "../src/cli/bench/report/rows.ts";

const root = new URL("../", import.meta.url);

export const readResult = (file: string): BenchResult => JSON.parse(readFileSync(new URL(file, root), "utf8"));

const link = /\[([^\]]+)\]\(((?:\.\.\/)*bench\/results\/[^)#\s]+\.json)#([^)\s]+)\)/g;

/** The text with the digits of every link as its file has them. Throws    Error for a place that is not there */
export const withDigits = (text: string): string =>
  text.replace(link, (_, shown: string, file: string, place: string) => {
    const result: unknown = JSON.parse(readFileSync(new URL(file.replaceAll("../", ""), root), "utf8"));
    const value = valueAt(result, decodeURIComponent(place), shown);
    return `[${written(shown, value, place.startsWith("/") ? {} : scales)}](${file}#${place})`;
  });

/** A text without what names its source, links, generated blocks, citations of the laboratory, and without code. */
export const unsourced = (text: string): string =>
  text
    .replace(/^```[\s\S]*?^```/gm, "")
    .replace(/<!-- figures: [\s\S]*?<!-- \/figures -->/g, "")
    .replace(link, "")
    .replace(/\[[^\]]+\]\((?:docs\/)?laboratory\.md#[^)]+\)/g, "")
    .replace(/`[^`\n]+`/g, "");

const units = [
  "(?:[nmuµμ]|nano|micro|milli)?s(?:ec(?:ond)?s?)?",
  "min|minutes?|h|hours?",
  "[KMGT]?FLOPS?(?:/s)?|[KMG]i?B(?:/s)?",
  "×(?!\\s*\\d)|x|-?times|-?fold|%|per ?cent",
  "(?:\\w+ ){0,2}(?:a|per) (?:nano|micro|milli)?second",
  "\\w+/s",
].join("|");

/** What looks like a measured figure: a number of nanoseconds, a factor, a rate, a size. A shape, 512 × 32,000, is none. */
export const measured = (text: string): string[] => [
  ...(text.match(new RegExp(`\\d[\\d.,]*\\s?(?:${units})(?![\\w-])`, "g")) ?? []),
  ...(text.match(/(?:^\|.*\n?)+/gm) ?? []).flatMap(bareNumbers),
];

/** Cells that are numbers, of a table whose head names their unit. */
function bareNumbers(table: string): string[] {
  const [head = "", , ...rows] = table.split("\n");
  if (!new RegExp(`^\\|.*(?<![\\w/])(?:${units})(?![\\w-])`).test(head)) return [];
  return rows.flatMap((row) => row.match(/(?<=\| )\d[\d.,–; ]*(?= \|)/g) ?? []);
}

function valueAt(result: unknown, place: string, shown: string): number {
  const [path = "", factor = "1"] = place.split(/\*([\d.]+)$/);
  const found = atPath(result, path);
  const value = place.startsWith("/")
    ? typeof found === "number" && found * Number(factor)
    : atCase(result as BenchResult, place, shown);
  if (typeof value === "number" && Number.isFinite(value)) return value;
  throw new Error(`#${place}: expected a number in the file, got ${value}`);
}

const atPath = (value: unknown, place: string): unknown =>
  place
    .split("/")
    .slice(1)
    .reduce(
      (part: unknown, key) =>
        Array.isArray(part)
          ? (part.find((one) => Object(one).name === key) ?? part[Number(key)])
          : (Object(part) as Record<string, unknown>)[key],
      value,
    );

/** Per unit of the text: GFLOP/s of products, all else in nanoseconds. */
function atCase(result: BenchResult, place: string, shown: string): number {
  const [name = "", candidates = ""] = place.split(/:(.*)/s);
  const [of = "", field] = candidates.split(".");
  const [one, other] = of.split("/").map((text) => figureOf(result, name, text));
  if (!one) throw new Error(`#${place}: expected a candidate`);
  if (other) return one.median / other.median;
  if (field === "error") return one.error.value;
  if (field === "share") return one.share?.value ?? Number.NaN;
  return shown.endsWith("GFLOP/s") ? gigaflops(one) : one.median;
}

const gigaflops = ({ median, unit }: Figure): number => (unit === "multiply-add" ? 2 : 1) / median;

/** Arrays are those of `allocate` where the candidate has some. */
export function figureOf(result: BenchResult, pattern: string, text: string): Figure {
  const name = pattern.endsWith("/*") ? shownCase(result, pattern.slice(0, -2)) : pattern;
  const [candidate, arrays] = text.split("+");
  const all = result.figures.filter((figure) => figure.case === name && figure.candidate === candidate);
  const figure = arrays
    ? all.find((one) => one.arrays === arrays)
    : (all.find((one) => one.arrays === "allocate") ?? all[0]);
  if (figure) return figure;
  throw new Error(`${name}: no figure of ${text}`);
}

/** The case of a family that pictures and reports show. */
const shownCase = (result: BenchResult, family: string): string =>
  largest(rowsOf([result])).find(([name]) => name === family)?.[1][0]?.figure.case ?? family;

const scales: Readonly<Record<string, number>> = { µs: 1e-3, ms: 1e-6, "%": 100 };

/** A figure's text with another number in it: two digits, or all before the point. Nanoseconds are scaled to the text's unit. */
export function written(shown: string, value: number, scale: Readonly<Record<string, number>> = scales): string {
  const [, number = "", unit = ""] = /^([\d.,e-]+)\s*(.*)$/.exec(shown) ?? [];
  const scaled = value * (scale[unit] ?? 1);
  return shown.replace(number, number.includes("e") ? scaled.toExponential(0) : twoDigits(scaled));
}

export const twoDigits = (value: number): string => (value >= 10 ? value.toFixed(0) : value.toPrecision(2));

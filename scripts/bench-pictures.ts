// The pictures of README and docs, the tables and the digits beside them, from bench/results/: `node scripts/bench-pictures.ts`. With
// `--check` it only compares.

import { globSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { BenchResult } from "../src/bench/types.ts";
import { rooflineOf } from "../src/cli/bench/report/bounds.ts";
import { barPlot, errorPlot, runtimesPlot, sizePlot } from "../src/cli/bench/report/plots.mjs";
import { rooflinePlot } from "../src/cli/bench/report/roofline.mjs";
import {
  errorText,
  familyOf,
  perText,
  type Row,
  rowsOf,
  shownTime,
  timeText,
  titleOf,
} from "../src/cli/bench/report/rows.ts";
import { acrossRuntimes, allResults, workersOf } from "./comparisons.ts";
import { shown, withBlocks } from "./figure-blocks.ts";
import { readResult, twoDigits, withDigits } from "./figures.ts";
import { type Part, stacked } from "./stacked.ts";

const root = new URL("../", import.meta.url);
const MAIN = "bench/results/bench-node26.json";
/** Every page whose figures are those of files: all but the laboratory, which is history. */
export const texts: readonly string[] = [
  "README.md",
  ...globSync(["docs/*.md", "examples/*/README.md"], { cwd: fileURLToPath(root) })
    .filter((path) => path !== "docs/laboratory.md")
    .sort(),
];

/** "512 × 32,000" */
const sizeText = (name: string): string =>
  name
    .slice(name.lastIndexOf("/") + 1)
    .replace(/\d+/g, (digits) => Number(digits).toLocaleString("en"))
    .replaceAll("x", " × ");

const speedPicture = (result: BenchResult): string =>
  stacked(
    shown(result)
      .filter(([family]) => !family.endsWith("/forward"))
      .map(([family, rows]) => {
        const [{ figure: first }] = rows as [Row];
        const isMs = shownTime(first) >= 1e5;
        const per = isMs ? 1e6 : 1;
        // Where ours can be given arrays of `allocate`, it is shown with them.
        const isOther = ({ label }: Row): boolean =>
          label.endsWith(", own arrays") && rows.some((row) => `${row.label}, own arrays` === label);
        const bars = rows
          .filter((row) => !isOther(row))
          .map(({ figure, label, kind }) => ({
            label,
            kind,
            value: shownTime(figure) / per,
            from: shownTime(figure, figure.lower) / per,
            to: shownTime(figure, figure.upper) / per,
            text: timeText(shownTime(figure)),
          }))
          .sort((a, b) => a.value - b.value);
        const unit = isMs ? "ms a call; shorter is better" : `ns a ${first.unit}; shorter is better`;
        return {
          title: `${titleOf(family)}, ${sizeText(first.case)}`,
          picture: barPlot(bars, unit),
        };
      }),
  );

function exactnessPicture(result: BenchResult): string {
  const [, rows = []] = shown(result).find(([family]) => family === "logits/both") ?? [];
  const points = [...Map.groupBy(rows, ({ figure }) => figure.candidate).values()]
    .map(([row]) => row as Row)
    .filter(({ figure }) => figure.error.value > 0)
    .map(({ figure, kind }) => ({
      label: figure.candidate,
      kind,
      error: figure.error.value,
      text: errorText(figure.error.value),
    }))
    .sort((a, b) => a.error - b.error);
  const of = rows[0]?.figure.error.of ?? "";
  return stacked([{ title: `Worst error: ${of}`, picture: errorPlot(points) }]);
}

/** The same work in every runtime that has a result. */
export function runtimesPicture(results: readonly BenchResult[]): string {
  const parts = ["pairs/sigmoid", "logits/both", "linear/both"].flatMap((family): Part[] => {
    const found = acrossRuntimes(results, family);
    const [first] = found?.rows ?? [];
    if (!found || !first) return [];
    const rows = found.rows.filter(({ label }) => !label.endsWith(", own arrays"));
    const per = shownTime(first.figure) >= 1e5 ? 1e6 : 1;
    const points = rows.map(({ figure, label, runtime, kind }) => ({
      runtime,
      label,
      ours: kind === "ours",
      value: shownTime(figure) / per,
    }));
    const names = [...new Set(points.toSorted((a, b) => Number(b.ours) - Number(a.ours)).map(({ label }) => label))];
    const ours = new Set(points.filter((point) => point.ours).map(({ label }) => label));
    const unit = `${per === 1 ? "ns" : "ms"} ${perText(first.figure)}; further left is better`;
    return [
      {
        title: `${titleOf(family)}, ${sizeText(found.case)}`,
        picture: runtimesPlot(points, { runtimes: found.runtimes, names }, unit),
        legend: names,
        isRing: (name) => !ours.has(name),
      },
    ];
  });
  return stacked(parts);
}

/** How many times as fast as this thread so many workers are. */
const workersPicture = (result: BenchResult): string =>
  stacked(
    [...Map.groupBy(workersOf(result), ({ arrays }) => arrays)].map(([arrays, all]) => {
      const bars = all.flatMap(({ case: name, speedups }) =>
        speedups.map(([workers, times]) => ({
          label: `${name.split("/")[1]} ${sizeText(name)}, ${workers} worker${workers === 1 ? "" : "s"}`,
          kind: workers === 1 ? ("other" as const) : ("ours" as const),
          value: times,
          from: times,
          to: times,
          text: `${twoDigits(times)} times`,
        })),
      );
      return {
        title: arrays === "allocate" ? "Arrays of pool.allocate" : "Arrays of your own",
        picture: barPlot(bars, "times as fast as the same call on one thread, without a pool"),
      };
    }),
  );

/** What a unit takes in calls of any size. */
function sizesPicture(result: BenchResult): string {
  const rows = rowsOf([result]).filter(({ figure }) => familyOf(figure.case) === "pairs/sigmoid");
  const points = rows
    .map(({ figure, label }) => ({ label, units: figure.units, time: figure.median }))
    .sort((a, b) => a.units - b.units);
  const names = [...new Set(rows.map(({ label }) => label))];
  const picture = sizePlot(points, names, { x: "pairs a call", y: "ns a pair" });
  return stacked([{ title: titleOf("pairs/sigmoid"), picture, legend: names }]);
}

/** What candidates reach under the machine's limits. */
function rooflinePicture(result: BenchResult): string {
  const found = rooflineOf(rowsOf([result]), result);
  if (!found) throw new Error(`${MAIN}: expected the machine's limits and what the work takes, got none`);
  const { points, names, peers, limits } = found;
  const [{ name, version }, picture] = [result.runtime, rooflinePlot(points, names, limits)];
  return stacked([
    { title: `One thread, ${name} ${version}`, picture, legend: names, isRing: (one) => peers.has(one) },
  ]);
}

/** Every file and what it should be. */
export function generated(): Record<string, string> {
  const result = readResult(MAIN);
  const pages = texts.map((path) => [path, withDigits(withBlocks(readFileSync(new URL(path, root), "utf8"), result))]);
  return {
    "docs/speed.gen.svg": speedPicture(result),
    "docs/exactness.gen.svg": exactnessPicture(result),
    "docs/in-runtimes.gen.svg": runtimesPicture(allResults()),
    "docs/roofline.gen.svg": rooflinePicture(result),
    "docs/by-size.gen.svg": sizesPicture(result),
    "docs/by-workers.gen.svg": workersPicture(result),
    ...Object.fromEntries(pages),
  };
}

export const stale = (): [path: string, text: string][] =>
  Object.entries(generated()).filter(([path, text]) => {
    try {
      return readFileSync(new URL(path, root), "utf8") !== text;
    } catch {
      return true;
    }
  });

if (import.meta.main) {
  const isCheck = process.argv.includes("--check");
  for (const [path, text] of stale()) {
    if (isCheck) console.error(`${path} does not match bench/results: run node scripts/bench-pictures.ts`);
    else writeFileSync(new URL(path, root), text);
    if (isCheck) process.exitCode = 1;
  }
}

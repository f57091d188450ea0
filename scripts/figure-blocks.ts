// What stands between `<!-- figures: name -->` and `<!-- /figures -->` in the docs: tables and sentences from bench/results/.

import { existsSync, readFileSync } from "node:fs";
import type { BenchResult } from "../src/bench/types.ts";
import { largest } from "../src/cli/bench/report/parts.ts";
import {
  errorText,
  familyOf,
  namesOf,
  perText,
  type Row,
  rowsOf,
  shownTime,
  timeText,
  titleOf,
} from "../src/cli/bench/report/rows.ts";
import { acrossRuntimes, allResults, quickest, workersOf } from "./comparisons.ts";
import { twoDigits } from "./figures.ts";

/** Work that tables and pictures show, where the results have it. */
const families = ["pairs/sigmoid", "logits/forward", "logits/both", "linear/forward", "linear/both"];

/** The shape of each family that most candidates did, the largest of several. */
export function shown(result: BenchResult): [family: string, rows: Row[]][] {
  const all = new Map(largest(rowsOf([result])));
  return families.flatMap((family) => {
    const rows = (all.get(family) ?? []).filter(({ figure }) => figure.candidate !== "js");
    return rows.length === 0 ? [] : [[family, rows]];
  });
}

const table = (head: readonly string[], rows: readonly (readonly string[])[]): string[] =>
  [head, head.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |`);

/** Every candidate of what the pictures show: its time, how many times as long as the quickest of ours, its error. */
const speed = (result: BenchResult): string[] =>
  shown(result).flatMap(([family, rows]) => {
    const sorted = rows.toSorted((a, b) => a.figure.median - b.figure.median);
    const best = sorted.find(({ kind }) => kind !== "peer")?.figure.median ?? Number.NaN;
    const cells = sorted.map(({ figure, label }) => [
      label,
      timeText(shownTime(figure)),
      twoDigits(figure.median / best),
      errorText(figure.error.value),
    ]);
    const title = `**${titleOf(family)}**, \`${rows[0]?.figure.case}\``;
    return ["", title, "", ...table(["", "median", "times ours", "error"], cells)];
  });

const machine = ({ machine, runtime, date, versions, notes }: BenchResult): string[] => {
  const peers = Object.entries(versions).map(([name, version]) => `${name} ${version}`);
  const place = [machine.cpu, `${machine.cores} cores`, machine.platform, `${runtime.name} ${runtime.version}`];
  return [[[...place, date.slice(0, 10)].join(", "), peers.join(", "), ...notes].join("; ")];
};

/** Steps of optimisers: their times, and what they read and write in it. */
const optimiser = (result: BenchResult): string[] => {
  const rows = rowsOf([result]).filter(({ figure }) => figure.group === "optimiser");
  const cells = rows.map(({ figure, label }) => [
    `\`${figure.case.split("/")[1]}\``,
    label,
    twoDigits(figure.median),
    // The share of the bandwidth is bytes over time over bandwidth.
    figure.share ? twoDigits(figure.share.value * result.limits.bandwidth) : "",
  ]);
  return [
    ...table(["", "", "ns per parameter", "GB/s read and written"], cells),
    "",
    `A loop that only reads came to ${twoDigits(result.limits.bandwidth)} GB/s in the same rounds.`,
  ];
};

/** The quickest of ours in every runtime. */
const runtimes = (): string[] => {
  const results = allResults();
  const all = ["pairs/sigmoid", "logits/both", "linear/both"].flatMap(
    (family) => acrossRuntimes(results, family) ?? [],
  );
  const names = namesOf(results).filter((name) => all.some((one) => one.runtimes.includes(name)));
  const cells = names.map((name) => [
    name,
    ...all.map(({ rows }) => {
      const best = quickest(rows, ({ runtime, kind }) => runtime === name && kind === "ours");
      return best ? timeText(shownTime(best)) : "";
    }),
  ]);
  return table(
    ["", ...all.map(({ case: name, rows: [row] }) => `\`${name}\`, ${row ? perText(row.figure) : ""}`)],
    cells,
  );
};

/** What a pair takes in calls of every size. */
const sizes = (result: BenchResult): string[] => {
  const rows = rowsOf([result]).filter(({ figure }) => familyOf(figure.case) === "pairs/sigmoid");
  const calls = [...Map.groupBy(rows, ({ figure }) => figure.units)].flatMap(([units, all]) => {
    const best = quickest(all, ({ kind }) => kind === "ours");
    return best ? `${timeText(best.median)} in a call of ${units.toLocaleString("en")}` : [];
  });
  return [calls.length > 0 ? `A pair takes ${calls.join(", ")}.` : NONE];
};

const workers = (result: BenchResult): string[] => {
  const all = workersOf(result);
  const counts = [...new Set(all.flatMap(({ speedups }) => speedups.map(([count]) => count)))].sort((a, b) => a - b);
  const cells = all.map(({ case: name, arrays, speedups }) => [
    `\`${name}\``,
    arrays === "allocate" ? "`pool.allocate`" : "your own",
    ...counts.map((count) => {
      const found = speedups.find(([workers]) => workers === count);
      return found ? twoDigits(found[1]) : "";
    }),
  ]);
  return table(
    ["times as fast as one thread", "arrays", ...counts.map((n) => `${n} worker${n === 1 ? "" : "s"}`)],
    cells,
  );
};

/** What is measured by itself, and may not have been yet. */
function readIfThere<T>(name: string): T | undefined {
  const file = new URL(`../bench/results/${name}`, import.meta.url);
  return existsSync(file) ? JSON.parse(readFileSync(file, "utf8")) : undefined;
}

const NONE = "Not among the committed results.";

/** PyTorch and TRL, where they were measured, beside the quickest of ours in the same rounds: a case a line. */
const yardsticks = (): string[] => {
  const result = readIfThere<BenchResult>("bench-yardsticks.json");
  if (!result) return [NONE];
  const cells = [...Map.groupBy(rowsOf([result]), ({ figure }) => figure.case)].map(([name, rows]) => {
    const best = quickest(rows, ({ kind }) => kind === "ours");
    const times = ["torch", "trl"].map((library) => {
      const figure = rows.find((row) => row.label === library)?.figure;
      if (!figure || !best) return "";
      return `${timeText(shownTime(figure))}, ${twoDigits(figure.median / best.median)} times`;
    });
    return [`\`${name}\``, best ? timeText(shownTime(best)) : "", ...times];
  });
  const versions = Object.entries(result.versions).map(([name, version]) => `${name} ${version}`);
  return [
    `${versions.join(", ")}; ${result.date.slice(0, 10)}.`,
    "",
    ...table(["", "ours", "PyTorch", "TRL"], cells),
    "",
    `The largest error of ours is ${worst(result, "ours")}, that of the others ${worst(result, "peer")}.`,
  ];
};

const worst = (result: BenchResult, kind: Row["kind"]): string => {
  const errors = rowsOf([result]).filter((row) => row.kind === kind);
  return errorText(Math.max(...errors.map(({ figure }) => figure.error.value)));
};

interface Planted {
  readonly date: string;
  readonly comparisons: number;
  readonly figures: number;
  readonly found: number;
  readonly planted: readonly { case: string; figures: number; found: number; changes: readonly { ratio: number }[] }[];
}

/** What comparisons found of a slow-down that is there, and of one that is not. */
const planted = (): string[] => {
  const result = readIfThere<Planted>("planted-node26.json");
  if (!result) return [NONE];
  const cells = result.planted.map(({ case: name, figures, found, changes }) => {
    const ratios = changes.map(({ ratio }) => ratio);
    const range = [Math.min(...ratios), Math.max(...ratios)].map((ratio) => ratio.toFixed(2)).join(" to ");
    return [`\`${name}\``, `${found} of ${figures}`, range];
  });
  return [
    `${result.date}: ${result.comparisons} comparisons of a build with itself called ${result.found} of ${result.figures} figures slower or faster.`,
    "",
    ...table(["a part of the work done twice", "figures called slower", "times as long"], cells),
  ];
};

interface Transforms {
  readonly rows: readonly { form: string; transform: string; times: { median: number } }[];
}

/** How many times as long calls take under a transform of the logits as without. */
const transform = (): string[] => {
  const rows = readIfThere<Transforms>("transform-node26.json")?.rows ?? [];
  const times = (name: string, isForward: boolean): number[] =>
    rows
      .filter((row) => row.transform === name && (row.form === "forward") === isForward)
      .map((row) => row.times.median);
  const range = (all: number[]): string => `${twoDigits(Math.min(...all))} to ${twoDigits(Math.max(...all))}`;
  return [
    `A softcap makes the forward pass ${range(times("softcap", true))} times as long, both passes ${range(times("softcap", false))}, a scale either at`,
    `most ${twoDigits(Math.max(...times("scale", true), ...times("scale", false)))} (\`bench/results/transform-node26.json\`).`,
  ];
};

const blocks: Readonly<Record<string, (result: BenchResult) => string[]>> = {
  speed,
  machine,
  runtimes,
  sizes,
  workers,
  yardsticks,
  planted,
  optimiser,
  transform,
};

/** A page with all of its blocks as the results have them. Throws    Error for a block that is not there */
export const withBlocks = (text: string, result: BenchResult): string =>
  text.replace(
    /(<!-- figures: (\w+) -->\n)[\s\S]*?(<!-- \/figures -->)/g,
    (_, start: string, name: string, end: string) => {
      const block = blocks[name];
      if (!block) throw new Error(`figures: expected one of ${Object.keys(blocks)}, got ${name}`);
      return `${start}${block(result).join("\n")}\n${end}`;
    },
  );

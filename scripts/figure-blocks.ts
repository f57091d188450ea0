// What stands between `<!-- figures: name -->` and `<!-- /figures -->` in the docs: tables and sentences from bench/results/.

import { readFileSync } from "node:fs";
import type { BenchResult } from "../src/bench/types.ts";
import { largest } from "../src/cli/bench/report/parts.ts";
import { errorText, type Row, rowsOf, shownTime, timeText, titleOf } from "../src/cli/bench/report/rows.ts";
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

interface Transforms {
  readonly rows: readonly { form: string; transform: string; times: { median: number } }[];
}

/** How many times as long calls take under a transform of the logits as without. */
const transform = (): string[] => {
  const file = new URL("../bench/results/transform-node26.json", import.meta.url);
  const { rows }: Transforms = JSON.parse(readFileSync(file, "utf8"));
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

const blocks: Readonly<Record<string, (result: BenchResult) => string[]>> = { speed, machine, optimiser, transform };

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

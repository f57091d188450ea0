// The pictures of README and docs, the tables and the digits beside them, from bench/results/: `node scripts/bench-pictures.ts`. With
// `--check` it only compares.

import { readFileSync, writeFileSync } from "node:fs";
import type { BenchResult } from "../src/bench/types.ts";
import { barPlot, errorPlot } from "../src/cli/bench/report/plots.mjs";
import { errorText, type Row, rowsOf, shownTime, timeText, titleOf } from "../src/cli/bench/report/rows.ts";
import { escaped } from "../src/cli/page.ts";
import { readResult, twoDigits, withDigits } from "./figures.ts";

const root = new URL("../", import.meta.url);
const MAIN = "bench/results/bench-node26.json";
export const texts = ["README.md", "docs/performance.md"] as const;

/** Work that the pictures show, where the results have it: the largest shape of a kind that others do too. */
const families = ["pairs/sigmoid", "logits/forward", "logits/both", "linear/forward", "linear/both"];

function shown(result: BenchResult): [family: string, rows: Row[]][] {
  return families.flatMap((family) => {
    const rows = rowsOf([result]).filter(({ figure }) => figure.case.startsWith(`${family}/`));
    const cases = [...new Set(rows.map(({ figure }) => figure.case))];
    const of = (name: string): Row[] => rows.filter(({ figure }) => figure.case === name);
    const most = cases.reduce((a, b) => (of(b).length >= of(a).length ? b : a), cases[0] ?? "");
    return most === "" ? [] : [[family, of(most).filter(({ figure }) => figure.candidate !== "js")]];
  });
}

/** Pictures below one another, each under its title, as one file. */
function stacked(parts: readonly { title: string; picture: string }[]): string {
  let top = 0;
  const placed = parts.map(({ title, picture }) => {
    const height = Number(/height="([\d.]+)"/.exec(picture)?.[1]);
    const text = `<text x="8" y="${top + 20}" font-family="system-ui, sans-serif" font-size="14" font-weight="600">${escaped(title)}</text>`;
    const inner = picture.replace("<svg ", `<svg x="0" y="${top + 28}" `);
    top += height + 36;
    return text + inner;
  });
  const size = `viewBox="0 0 720 ${top}" width="720" height="${top}"`;
  return `<svg xmlns="http://www.w3.org/2000/svg" ${size}><rect width="100%" height="100%" fill="white"/>${placed.join("")}</svg>\n`;
}

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
          title: `${titleOf(family)}, ${first.case.split("/").at(-1)?.replaceAll("x", " × ")}`,
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

/** Every candidate of what the pictures show: its time, how many times as long as the quickest of ours, its error. */
const speedTable = (result: BenchResult): string =>
  shown(result)
    .flatMap(([family, rows]) => {
      const sorted = rows.toSorted((a, b) => a.figure.median - b.figure.median);
      const best = sorted.find(({ kind }) => kind !== "peer")?.figure.median ?? Number.NaN;
      return [
        "",
        `**${titleOf(family)}**, \`${rows[0]?.figure.case}\``,
        "",
        "| | median | times ours | error |",
        "| --- | --- | --- | --- |",
        ...sorted.map(
          ({ figure, label }) =>
            `| ${label} | ${timeText(shownTime(figure))} | ${twoDigits(figure.median / best)} | ${errorText(figure.error.value)} |`,
        ),
      ];
    })
    .concat("")
    .join("\n");

const machineText = ({ machine, runtime, date, versions, notes }: BenchResult): string => {
  const peers = Object.entries(versions).map(([name, version]) => `${name} ${version}`);
  return `${machine.cpu}, ${machine.cores} cores, ${machine.platform}, ${runtime.name} ${runtime.version}, ${date.slice(0, 10)}; ${peers.join(", ")}${notes.map((note) => `; ${note}`).join("")}\n`;
};

const blocks: Readonly<Record<string, (result: BenchResult) => string>> = { speed: speedTable, machine: machineText };

/** Every file and what it should be. */
export function generated(): Record<string, string> {
  const result = readResult(MAIN);
  const filled = (text: string): string =>
    text.replace(
      /(<!-- figures: (\w+) -->\n)[\s\S]*?(<!-- \/figures -->)/g,
      (_, start: string, name: string, end: string) => {
        const block = blocks[name];
        if (!block) throw new Error(`figures: expected one of ${Object.keys(blocks)}, got ${name}`);
        return `${start}${block(result)}${end}`;
      },
    );
  const pages = texts.map((path) => [path, withDigits(filled(readFileSync(new URL(path, root), "utf8")))]);
  return {
    "docs/speed.gen.svg": speedPicture(result),
    "docs/exactness.gen.svg": exactnessPicture(result),
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

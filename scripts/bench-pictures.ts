// The pictures of README and docs, the tables and the digits beside them, from bench/results/: `node scripts/bench-pictures.ts`. With
// `--check` it only compares.

import { globSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { BenchResult } from "../src/bench/types.ts";
import { barPlot, errorPlot } from "../src/cli/bench/report/plots.mjs";
import { errorText, type Row, shownTime, timeText, titleOf } from "../src/cli/bench/report/rows.ts";
import { escaped } from "../src/cli/page.ts";
import { shown, withBlocks } from "./figure-blocks.ts";
import { readResult, withDigits } from "./figures.ts";

const root = new URL("../", import.meta.url);
const MAIN = "bench/results/bench-node26.json";
/** Every page whose figures are those of files: all but the laboratory, which is history. */
export const texts: readonly string[] = [
  "README.md",
  ...globSync(["docs/*.md", "examples/*/README.md"], { cwd: fileURLToPath(root) })
    .filter((path) => path !== "docs/laboratory.md")
    .sort(),
];

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

/** Every file and what it should be. */
export function generated(): Record<string, string> {
  const result = readResult(MAIN);
  const pages = texts.map((path) => [path, withDigits(withBlocks(readFileSync(new URL(path, root), "utf8"), result))]);
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

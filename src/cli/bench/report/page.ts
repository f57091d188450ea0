// A page about a benchmark: what takes how long where, what bounds it, how it scales, how exact it is. From any set of results.

import type { BenchResult } from "../../../bench/types.ts";
import { escaped, writePage } from "../../page.ts";
import { errorsPart, memoryPart, runtimesPart, sharesPart, sizesPart, speedPart, workersPart } from "./parts.ts";
import { namesOf, rowsOf } from "./rows.ts";
import { figuresTable, machinesTable, skippedTable } from "./tables.ts";

/** Writes the page. Throws    a refusal where writing fails */
export const writeBenchPage = async (path: string, results: readonly BenchResult[]): Promise<void> =>
  writePage(path, "dpo-kernels: benchmark", await benchPage(results));

/** The body of the page. */
export async function benchPage(results: readonly BenchResult[]): Promise<string> {
  // What draws takes longer to load than all the rest.
  const plots = await import("./plots.mjs");
  const rows = rowsOf(results);
  const names = namesOf(results);
  const main = mainOf(names);
  const mine = rows.filter(({ runtime }) => runtime === main);
  const part = (title: string, text: string, body: string): string =>
    body === "" ? "" : `<h2>${title}</h2>\n${text === "" ? "" : `<p>${text}</p>\n`}${body}`;
  const medians = "Bars are medians, black lines run from the first to the third quartile of the rounds.";
  return [
    legendStyle,
    `<h1>dpo-kernels: benchmark</h1>\n${machinesTable(results, names)}`,
    part(
      "Speed",
      `${medians} ${escaped(main)}, the largest shape of each kind; blue is this package, grey are others. Shorter is better.`,
      speedPart(plots, mine),
    ),
    part("Runtimes", "The same work in every runtime: medians. Darker is faster.", runtimesPart(plots, rows, names)),
    part(
      "What bounds it",
      "What the work has to read and write at least, or its multiply-adds, over its time, as a share of what a loop that does nothing else reached in the same rounds on one thread. What fits into a cache, or runs on several threads, may be above 100 %.",
      sharesPart(plots, mine),
    ),
    part(
      "Size",
      "Time for each unit of work, over the units of a call. Both scales are logarithmic.",
      sizesPart(plots, mine),
    ),
    part(
      "Workers",
      "Medians, relative to one worker; the dashed line is as many times as fast as there are workers.",
      workersPart(plots, mine),
    ),
    part(
      "Memory",
      "What a call holds beside its inputs and outputs, where a candidate can say.",
      memoryPart(plots, mine),
    ),
    part(
      "Exactness",
      "The worst error against float64, as checked before anything was timed. Left is better.",
      errorsPart(plots, mine),
    ),
    `<h2>All figures</h2>\n${figuresTable(rows)}`,
    part("Not measured", "", skippedTable(results, names)),
  ]
    .filter((text) => text !== "")
    .join("\n");
}

/** The runtime whose figures stand for the others where there is room for one: the newest Node, or what there is. */
export const mainOf = (names: readonly string[]): string =>
  names.filter((name) => /^node \d+$/.test(name)).sort((a, b) => Number(b.slice(5)) - Number(a.slice(5)))[0] ??
  names[0] ??
  "";

const legendStyle =
  "<style>body { max-width: 860px } .legend { font-size: 13px; margin: 0 } h3 { margin: 1.2rem 0 0.2rem; font-size: 15px } summary { cursor: pointer } .scroll { overflow-x: auto } td, th { white-space: nowrap }</style>";

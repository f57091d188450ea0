// A page about a benchmark: what takes how long where, what bounds it, how it scales, how exact it is. From any set of results.

import type { BenchResult } from "../../../bench/types.ts";
import { escaped, writePage } from "../../page.ts";
import { rooflinePart, sharesPart } from "./bounds.ts";
import { errorsPart, memoryPart, runtimesPart, sizesPart, speedPart, workersPart } from "./parts.ts";
import { isTimed, namesOf, type Row, rowsOf } from "./rows.ts";
import { figuresTable, machinesTable, skippedTable } from "./tables.ts";

/** Writes the page. Throws    a refusal where writing fails */
export const writeBenchPage = async (path: string, results: readonly BenchResult[]): Promise<void> =>
  writePage(path, "dpo-kernels: benchmark", await benchPage(results));

/** The body of the page. */
export async function benchPage(results: readonly BenchResult[]): Promise<string> {
  // What draws takes longer to load than all the rest.
  const [plots, { rooflinePlot }] = await Promise.all([import("./plots.mjs"), import("./roofline.mjs")]);
  const rows = rowsOf(results);
  const names = namesOf(results);
  const main = mainOf(names);
  const timed = rows.filter(isTimed);
  const of = (name: string): Row[] => timed.filter(({ runtime }) => runtime === name);
  const mine = of(main);
  // The other runtimes' pictures are there for those who unfold them.
  const inEach = (draw: (rows: Row[], result: BenchResult) => string): string =>
    [main, ...names.filter((name) => name !== main)]
      .flatMap((name) => {
        const result = results[names.indexOf(name)];
        const body = result ? draw(of(name), result) : "";
        if (body === "") return [];
        return name === main ? body : `<details><summary>${escaped(name)}</summary>\n${body}</details>`;
      })
      .join("\n");
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
    part("Runtimes", "The same work in every runtime: medians. Darker is faster.", runtimesPart(plots, timed, names)),
    part(
      "What bounds it",
      "The largest shape of each kind: from left to right how many operations it takes for each byte that has to be read or written, upwards how many of them were done in a second. The roof is one thread's limits in the same rounds: a loop that only reads, and for each module one that only multiplies and adds. Rings are other libraries; native ones have wider vectors, and writing can be faster than reading, so they may be above it. Columns that would coincide stand side by side. Both scales are logarithmic.",
      inEach((rows, result) => rooflinePart(rooflinePlot, rows, result)),
    ),
    part(
      "Share of the limits",
      "What the work has to read and write at least, or its multiply-adds, over its time, as a share of what a loop that does nothing else reached in the same rounds on one thread. What fits into a cache, or runs on several threads, may be above 100 %.",
      sharesPart(plots, mine),
    ),
    part(
      "Size",
      "Time for each unit of work, over the units of a call. Both scales are logarithmic.",
      inEach((rows) => sizesPart(plots, rows)),
    ),
    part(
      "Workers",
      "Medians, relative to one worker; the dashed line is as many times as fast as there are workers.",
      inEach((rows) => workersPart(plots, rows)),
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
  "<style>body { max-width: 860px } .legend { font-size: 13px; margin: 0 } .series { white-space: nowrap; margin-right: 10px } h3 { margin: 1.2rem 0 0.2rem; font-size: 15px } summary { cursor: pointer } .scroll { overflow-x: auto } td, th { white-space: nowrap }</style>";

// What stands in words on a benchmark's page: the machines, every figure, what was not measured.

import type { BenchResult } from "../../../bench/types.ts";
import { escaped, notesList } from "../../page.ts";
import { bytesText, errorText, groupBy, perText, type Row, shownTime, threeDigits, timeText } from "./rows.ts";

const table = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  `<div class="scroll"><table><tr>${head.map((cell) => `<th>${escaped(cell)}</th>`).join("")}</tr>\n${rows
    .map((row) => `<tr>${row.map((cell) => `<td>${escaped(cell)}</td>`).join("")}</tr>`)
    .join("\n")}</table></div>`;

/** Where and when: one row for each run, and what a reader should know of it. */
export function machinesTable(results: readonly BenchResult[], names: readonly string[]): string {
  const rate = (value: number, unit: string): string => (value > 0 ? `${threeDigits(value)} ${unit}` : "–");
  const places = results.map(({ machine }) => `${machine.cpu}, ${machine.cores} cores, ${machine.platform}`);
  // Mostly all runs are of one machine, which then is said once.
  const isOne = new Set(places).size === 1;
  const rows = results.map(({ date, machine, runtime, limits, settings }, k) => [
    names[k] as string,
    runtime.version,
    ...(isOne ? [] : [places[k] as string]),
    date.slice(0, 16).replace("T", " "),
    machine.load ? machine.load.map((load) => load.toFixed(1)).join(" → ") : "–",
    rate(limits.bandwidth, "GB/s"),
    [limits.plain, limits.relaxed ?? 0].map((peak) => rate(2 * peak, "")).join(" / "),
    `${settings.rounds}${settings.quick ? ", quick" : ""}`,
  ]);
  const place = isOne ? [] : ["machine"];
  const head = ["runtime", "version", ...place, "date, UTC", "load", "reads", "GFLOP/s, plain / relaxed", "rounds"];
  // What differs between runs in its digits alone is said once.
  const notes = groupBy(
    results.flatMap((result, k) => result.notes.map((note) => ({ name: names[k] as string, note }))),
    ({ note }) => note.replace(/\d[\d.]*/g, "0"),
  );
  const said = notes.map(([, same]) => `${same.map(({ name }) => name).join(", ")}: ${same[0]?.note}`);
  const versions = new Map(results.flatMap((result) => Object.entries(result.versions)));
  const list = [...versions].map(([library, version]) => `${library} ${version}`).join(", ");
  const where = isOne ? `<p>${escaped(places[0] as string)}</p>\n` : "";
  return `${where}<p>${escaped(list)}</p>\n${table(head, rows)}${said.length > 0 ? notesList(said) : ""}`;
}

export function figuresTable(rows: readonly Row[]): string {
  const head = ["case", "candidate", "runtime", "median", "quartiles", "", "rounds", "share", "memory", "error"];
  const cells = rows.map(({ figure, label, runtime }) => [
    figure.case,
    label,
    runtime,
    timeText(shownTime(figure)),
    [figure.lower, figure.upper].map((time) => timeText(shownTime(figure, time))).join(" – "),
    perText(figure),
    String(figure.rounds.length),
    figure.share ? `${(100 * figure.share.value).toFixed(0)} % of ${figure.share.of}` : "",
    figure.scratch === undefined ? "" : bytesText(figure.scratch),
    errorText(figure.error.value),
  ]);
  return `<details><summary>${rows.length} figures</summary>${table(head, cells)}</details>`;
}

/** What was left out and why: the same reason in several runtimes, or for several cases, once. */
export function skippedTable(results: readonly BenchResult[], names: readonly string[]): string {
  const reasons = new Map<string, { where: Set<string>; cases: Set<string> }>();
  for (const [k, { skipped }] of results.entries()) {
    for (const { case: name, candidate, why } of skipped) {
      const key = JSON.stringify([candidate, why]);
      const entry = reasons.get(key) ?? { where: new Set(), cases: new Set() };
      entry.where.add(names[k] as string);
      if (name !== undefined) entry.cases.add(name);
      reasons.set(key, entry);
    }
  }
  if (reasons.size === 0) return "";
  const items = [...reasons].map(([key, { where, cases }]) => {
    const [candidate, why] = JSON.parse(key) as [string, string];
    const of = cases.size > 0 ? ` (${[...cases].join(", ")})` : "";
    return `${candidate}, ${[...where].join(", ")}${of}: ${why}`;
  });
  return `<details><summary>${items.length} things</summary>${notesList(items)}</details>`;
}

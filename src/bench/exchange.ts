// Results in the forms that other tools read.

import type { BenchResult, Figure } from "./types.ts";

/** The name of a figure among those of its run: `pairs/sigmoid/8:relaxed:allocate`. */
export const keyOf = ({ case: name, candidate, arrays }: Pick<Figure, "case" | "candidate" | "arrays">): string =>
  `${name}:${candidate}:${arrays}`;

/** The runtime of a result as in the names of files: "node26", "chromium154", "workerd". */
export const runtimeName = ({ runtime: { name, version } }: Pick<BenchResult, "runtime">): string =>
  name + (/^\d+/.exec(version)?.[0] ?? "");

/** Bencher's metric format: nanoseconds of one run, median and quartiles. */
export type BencherMetrics = Record<string, { latency: { value: number; lower_value: number; upper_value: number } }>;

/** Results in Bencher's format. The names include the runtime if there are several results. */
export function toBencher(results: readonly BenchResult[]): BencherMetrics {
  const metrics: BencherMetrics = {};
  for (const result of results) {
    const suffix = results.length > 1 ? `:${runtimeName(result)}` : "";
    for (const figure of result.figures) {
      const { units, median, lower, upper } = figure;
      const latency = { value: units * median, lower_value: units * lower, upper_value: units * upper };
      metrics[keyOf(figure) + suffix] = { latency };
    }
  }
  return metrics;
}

type Cell = string | number | boolean | undefined;

const columns: Readonly<Record<string, (figure: Figure, result: BenchResult) => Cell>> = {
  runtime: (_, { runtime }) => runtime.name,
  version: (_, { runtime }) => runtime.version,
  cpu: (_, { machine }) => machine.cpu,
  date: (_, { date }) => date,
  case: (figure) => figure.case,
  group: (figure) => figure.group,
  candidate: (figure) => figure.candidate,
  ours: (figure) => figure.ours,
  arrays: (figure) => figure.arrays,
  unit: (figure) => figure.unit,
  units: (figure) => figure.units,
  median_ns: (figure) => figure.median,
  lower_ns: (figure) => figure.lower,
  upper_ns: (figure) => figure.upper,
  min_ns: (figure) => figure.min,
  rounds: (figure) => figure.rounds.length,
  limit: (figure) => figure.share?.of,
  share: (figure) => figure.share?.value,
  error: (figure) => figure.error.value,
  error_of: (figure) => figure.error.of,
  scratch_bytes: (figure) => figure.scratch,
};

/** Results as CSV (RFC 4180) with a header: one line per figure, nanoseconds per unit. What a figure lacks is empty. */
export function toCsv(results: readonly BenchResult[]): string {
  const rows = results.flatMap((result) =>
    result.figures.map((figure) => Object.values(columns).map((cell) => cell(figure, result))),
  );
  return [Object.keys(columns), ...rows].map((row) => `${row.map(quoted).join(",")}\r\n`).join("");
}

function quoted(cell: Cell): string {
  const text = String(cell ?? "");
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** A result as the JSON text of its file: fractions to five digits, which is more than a clock can tell. */
export const toResultFile = (result: BenchResult): string =>
  `${JSON.stringify(result, (_, value: unknown) => (typeof value === "number" ? rounded(value) : value), 1).replace(
    // A list of numbers is one line.
    /\[[\s\d.,e+-]*\]/g,
    (list) => list.replaceAll(/\s+/g, " "),
  )}\n`;

const rounded = (value: number): number => (Number.isInteger(value) ? value : Number(value.toPrecision(5)));

// What `dpo-kernels bench` prints.

import type { BenchResult, Figure } from "../../bench.ts";
import { frame } from "../report.ts";

const header = ["case", "candidate", "arrays", "time", "quartiles", "rounds", "of the limit", "error"];
const right = [3, 4, 5, 6, 7];

export function toText(result: BenchResult): string {
  const { machine, runtime, limits, figures, skipped, notes } = result;
  const rows: string[][] = [header];
  const rules: number[] = [];
  figures.forEach((figure, k) => {
    const isFirst = figures[k - 1]?.case !== figure.case;
    if (isFirst) rules.push(rows.length);
    rows.push(rowOf(figure, isFirst));
  });
  const reads = limits.bandwidth > 0 ? [`reads ${limits.bandwidth.toFixed(1)} GB/s`] : [];
  const multiplies = limits.plain > 0 ? [`${fixed(limits.relaxed ?? limits.plain)} multiply-adds a ns`] : [];
  const title = [`${runtime.name} ${runtime.version}`, machine.cpu, ...reads, ...multiplies].filter(Boolean).join(", ");
  return [
    title,
    ...(figures.length > 0 ? [frame(rows, { rules, right })] : []),
    ...skipped.map(({ case: name, candidate, why }) => `not measured: ${name ? `${name}, ` : ""}${candidate}: ${why}`),
    ...notes.map((note) => `note: ${note}`),
  ].join("\n");
}

const rowOf = (figure: Figure, isFirst: boolean): string[] => [
  isFirst ? `${figure.case}, a ${figure.unit}` : "",
  figure.candidate,
  figure.arrays,
  timeOf(figure.median),
  `${timeOf(figure.lower)} – ${timeOf(figure.upper)}`,
  String(figure.rounds.length),
  figure.share ? `${(100 * figure.share.value).toFixed(0)} % of ${figure.share.of}` : "",
  figure.error.value.toExponential(0),
];

/** Three digits, or all before the point. */
const fixed = (value: number): string => (value >= 100 ? value.toFixed(0) : value.toPrecision(3));

const units = [
  ["s", 1e9],
  ["ms", 1e6],
  ["µs", 1e3],
] as const;

function timeOf(nanoseconds: number): string {
  const [name, size] = units.find(([, least]) => nanoseconds >= least) ?? ["ns", 1];
  return `${fixed(nanoseconds / size)} ${name}`;
}

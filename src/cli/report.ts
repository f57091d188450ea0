// What `dpo-kernels loss` prints.

import { getBorderCharacters, table } from "table";
import { printable } from "../checks/printable.ts";
import type { LossOptions } from "../types.ts";
import type { Group } from "./groups.ts";
import { type Margins, sparkline } from "./margins.ts";

export interface Report {
  /** The file, or how many of them. */
  file: string;
  files?: readonly string[];
  /** As given, on the command line or in the configuration, and beta. */
  options: LossOptions;
  /** What they came to. Without weights, they are not summed up. */
  losses: readonly { id: string; weight?: number }[];
  /** Several losses, each alone. */
  each?: readonly { id: string; loss: number; gradNorm: number }[];
  /** How many pairs, or rows, there are. */
  pairs?: number;
  rows?: number;
  batches: number;
  /** Of the sum, if the losses have one. */
  loss?: number;
  gradNorm?: number;
  metrics: Record<string, number>;
  /** How the margins of the rewards are spread. */
  margins?: Margins;
  /** Means by the values of a column. */
  groups?: readonly Group[];
  /** Pairs or rows whose loss is NaN, and where the first is. */
  nan?: { pairs?: number; rows?: number; first: string };
  seconds: number;
  pairsPerSecond?: number;
  rowsPerSecond?: number;
  backend: { name: string; reason: string };
  /** What the reader of the numbers should know. */
  notes: readonly string[];
}

/**
 * One line of JSON. What JSON has no numbers for is written as it is read: "NaN", "Infinity", "-Infinity"; integers beyond
 * 2^53 as text.
 */
export const toJson = (value: unknown): string =>
  JSON.stringify(value, (_, part: unknown) => {
    if (typeof part === "bigint") return Number.isSafeInteger(Number(part)) ? Number(part) : String(part);
    return typeof part === "number" && !Number.isFinite(part) ? String(part) : part;
  });

/** Rows in a frame; rules are drawn above the rows of these numbers, and the columns of `right` are set to the right. */
export const frame = (
  rows: readonly (readonly string[])[],
  { rules = [], right = [] }: { rules?: readonly number[]; right?: readonly number[] } = {},
): string =>
  table(rows, {
    border: getBorderCharacters("norc"),
    columns: Object.fromEntries(right.map((column) => [column, { alignment: "right" as const }])),
    drawHorizontalLine: (row, count) => row === 0 || row === count || rules.includes(row),
  }).trimEnd();

/** A table for people: six digits, which is what the numbers are worth. */
export function toTable({
  file,
  losses,
  options,
  loss,
  gradNorm,
  metrics,
  each,
  margins,
  groups,
  ...rest
}: Report): string {
  const { pairs, rows: ofRows, seconds, backend, notes } = rest;
  const [number, unit] = pairs === undefined ? [ofRows ?? 0, "rows"] : [pairs, "pairs"];
  const isSum = loss !== undefined && gradNorm !== undefined;
  const names = losses.map(({ id, weight = 1 }) => (weight === 1 ? id : `${weight} ${id}`));
  const { lossType: _type, lossWeights: _weights, ...others } = options;
  const settings = Object.entries(others).flatMap(([name, value]) =>
    value === undefined ? [] : `${name} ${typeof value === "string" ? value : toJson(value)}`,
  );
  const heads = isSum
    ? [
        ["loss", digits(loss)],
        ["gradient norm", digits(gradNorm)],
      ]
    : [];
  const rows = [...heads, ...Object.entries(metrics).map(([name, mean]) => [name, digits(mean)])];
  const count = (n: number): string => Math.round(n).toLocaleString("en-US");
  return [
    `${file}: ${[isSum ? names.join(" + ") : `${losses.length} losses`, ...settings].join(", ")}`,
    frame(rows, { right: [1], rules: isSum ? [2] : [] }),
    ...(each ? [eachAlone(each)] : []),
    ...(margins ? [spread(margins)] : []),
    ...(groups ? [byGroup(groups)] : []),
    `${count(number)} ${unit} in ${seconds.toFixed(2)} s (${count(number / seconds)} per second) on ${backend.name}: ${backend.reason}`,
    ...notes.map((note) => `note: ${note}`),
  ].join("\n");
}

function eachAlone(losses: NonNullable<Report["each"]>): string {
  const rows = losses.map(({ id, loss, gradNorm }) => [id, digits(loss), digits(gradNorm)]);
  return frame([["alone", "loss", "gradient norm"], ...rows], { right: [1, 2], rules: [1] });
}

function spread({ quantiles, histogram: { counts } }: Margins): string {
  const numbers = Object.entries(quantiles).map(([name, value]) => `${name} ${short(value)}`);
  return `margins: ${numbers.join(", ")} ▕${sparkline(counts)}▏`;
}

function byGroup(groups: readonly Group[]): string {
  const hasLosses = groups.some(({ loss }) => loss !== undefined);
  const rows = groups.map(({ value, pairs, loss = NaN, ...means }) => [
    value === null ? "" : printable(value),
    String(pairs),
    ...(hasLosses ? [digits(loss)] : []),
    digits(means["rewards/margins"]),
    digits(means["rewards/accuracies"]),
  ]);
  const heads = ["group", "pairs", ...(hasLosses ? ["loss"] : []), "rewards/margins", "rewards/accuracies"];
  return frame([heads, ...rows], { right: heads.map((_, i) => i).slice(1), rules: [1] });
}

const short = (x: number): string => String(Number(x.toPrecision(3)));
const digits = (x: number): string => String(Number(x.toPrecision(6)));

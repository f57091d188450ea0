// What `dpo-kernels loss` prints.

import { getBorderCharacters, table } from "table";
import type { LossOptions } from "../types.ts";
import type { FileLoss } from "./mean-loss.ts";

export interface Report extends FileLoss {
  file: string;
  /** As given, on the command line or in the configuration, and beta. */
  options: LossOptions;
  /** What they came to. */
  losses: readonly { id: string; weight: number }[];
  seconds: number;
  pairsPerSecond: number;
  backend: { name: string; reason: string };
  /** What the reader of the numbers should know. */
  notes: readonly string[];
}

/** One line of JSON. What JSON has no numbers for is written as it is read: "NaN", "Infinity", "-Infinity". */
export const toJson = (value: unknown): string =>
  JSON.stringify(value, (_, part) => (typeof part === "number" && !Number.isFinite(part) ? String(part) : part));

/** Rows in a frame; rules are drawn above the rows of these numbers. */
export const frame = (
  rows: readonly (readonly string[])[],
  { rules = [], alignment = "left" }: { rules?: readonly number[]; alignment?: "left" | "right" } = {},
): string =>
  table(rows, {
    border: getBorderCharacters("norc"),
    columns: { 1: { alignment } },
    drawHorizontalLine: (row, count) => row === 0 || row === count || rules.includes(row),
  }).trimEnd();

/** A table for people: six digits, which is what the numbers are worth. */
export function toTable({ file, losses, options, loss, gradNorm, metrics, ...rest }: Report): string {
  const { pairs, seconds, pairsPerSecond, backend, notes } = rest;
  const sum = losses.map(({ id, weight }) => (weight === 1 ? id : `${weight} ${id}`)).join(" + ");
  const { lossType: _type, lossWeights: _weights, ...others } = options;
  const settings = Object.entries(others).flatMap(([name, value]) =>
    value === undefined ? [] : `${name} ${typeof value === "string" ? value : toJson(value)}`,
  );
  const rows = [
    ["loss", digits(loss)],
    ["gradient norm", digits(gradNorm)],
  ];
  for (const [name, mean] of Object.entries(metrics)) rows.push([name, digits(mean)]);
  const count = (n: number): string => Math.round(n).toLocaleString("en-US");
  return [
    `${file}: ${[sum, ...settings].join(", ")}`,
    frame(rows, { alignment: "right", rules: [2] }),
    `${count(pairs)} pairs in ${seconds.toFixed(2)} s (${count(pairsPerSecond)} per second) on ${backend.name}: ${backend.reason}`,
    ...notes.map((note) => `note: ${note}`),
  ].join("\n");
}

const digits = (x: number): string => String(Number(x.toPrecision(6)));

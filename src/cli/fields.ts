// dpo-kernels fields FILE: the columns of a file, what is in the first row, and as what `loss` reads them.

import type { Command } from "commander";
import { printable } from "../checks/printable.ts";
import { type ColumnMap, columnNames, fieldOf } from "./field-names.ts";
import { kindOfJson, refusal } from "./refusal.ts";
import { frame, toJson } from "./report.ts";
import { openSource, peekRow } from "./source.ts";

interface Column {
  name: string;
  type: string;
  /** The first row's value, cut short. */
  first: string;
  /** The field that `loss` reads from it. */
  field?: string;
}

/** Adds the command `fields`. */
export function addFields(program: Command): void {
  program
    .command("fields")
    .description("The columns of a file: their types, the first row, and what loss reads them as.")
    .argument("<file>", "JSON lines, a JSON array (packed or not) or Parquet; - is standard input")
    .option("--json", "print one JSON object")
    .action(async (file: string, { json }: { json?: true }) => {
      const columns = await columnsOf(file);
      console.log(json ? toJson({ file, columns }) : print(columns));
    });
}

const noMap: ColumnMap = {};

async function columnsOf(file: string): Promise<Column[]> {
  const { first, whole } = await peekRow(await openSource(file, "all"));
  if (!first) throw refusal(`${whole.name}: no pairs`);
  const [, values] = first;
  return (whole.columns ?? Object.keys(values)).map((name) => {
    const field = columnNames(noMap).includes(name) ? fieldOf(name) : undefined;
    return { name: printable(name), ...describe(values[name]), ...(field && { field }) };
  });
}

function describe(value: unknown): { type: string; first: string } {
  if (typeof value === "symbol") return { type: value.description ?? "", first: "" };
  if (value === null || value === undefined) return { type: "null", first: "null" };
  if (typeof value === "bigint") return { type: "integer", first: String(value) };
  if (typeof value !== "object") return { type: typeof value, first: printable(String(value)) };
  return { type: kindOfJson(value).replace(/^an? /, ""), first: printable(toJson(value)) };
}

function print(columns: readonly Column[]): string {
  const rows = columns.map(({ name, type, first, field = "" }) => [name, type, first, field]);
  return frame([["column", "type", "first row", "read as"], ...rows], { rules: [1] });
}

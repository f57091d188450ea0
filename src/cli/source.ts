// A file of pairs, whatever its format: rows with their numbers, and how far the reading has come.

import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { readJsonl } from "./jsonl.ts";
import { readParquet } from "./parquet/read.ts";
import { fieldNames } from "./read-pairs.ts";
import { fileProblem, refusal } from "./refusal.ts";

/** A pair as it stands in the file: the number of its line or row, from 1, and its fields, not looked at yet. */
export type Row = readonly [number: number, fields: Readonly<Record<string, unknown>>];

export interface Source {
  /** The file's path, or "stdin". */
  readonly name: string;
  /** Rows in file order, a block at a time, so that the cost of waiting is paid once a block. */
  readonly rows: AsyncIterable<readonly Row[]>;
  /** Where a row stands, in words: "pairs.jsonl:17". */
  place(row: number): string;
  /** How much of `total` has been read: bytes or rows. Without a total, lines. */
  done(): number;
  readonly total: number | undefined;
}

/**
 * Opens a file by its name: `*.parquet`, else JSON lines, packed or not; `-` is standard input.
 *
 * Throws    a refusal that names the file, if it cannot be opened
 */
export async function openSource(path: string): Promise<Source> {
  if (path === "-") return readJsonl("stdin", () => process.stdin, undefined);
  const info = await stat(path).catch((error: unknown) => {
    throw fileProblem(path, error);
  });
  if (info.isDirectory()) throw refusal(`${path}: is a directory`);
  if (path.endsWith(".parquet")) return readParquet(path, info.size, fieldNames);
  return readJsonl(path, () => createReadStream(path), info.isFile() ? info.size : undefined);
}

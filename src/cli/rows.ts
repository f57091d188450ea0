// What every format of file gives: rows with their numbers, and how far the reading has come.

import type { Shape } from "./parquet/shape.ts";

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
  /** The columns of the file, where it lists them. */
  readonly columns?: readonly string[];
  /** What those of them hold that are read, where it says so. */
  readonly shapes?: ReadonlyMap<string, Shape> | undefined;
}

/** The columns that are to be read, if the format lets others be passed over. */
export type Wanted = readonly string[] | "all";

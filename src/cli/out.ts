// The pairs or rows of a file with what the loss makes of each, written beside the columns that they came with.

import { existsSync, realpathSync } from "node:fs";
import { type FileHandle, open, rename, rm } from "node:fs/promises";
import { printable } from "../checks/printable.ts";
import type { Shape } from "./parquet/shape.ts";
import { openParquet } from "./parquet/write.ts";
import { fileProblem, isSystemError, refusal } from "./refusal.ts";
import { toJson } from "./report.ts";

type Fields = Readonly<Record<string, unknown>>;

interface Writer {
  write(rows: readonly Fields[]): Promise<void>;
  close(): Promise<void>;
}

/** What a format is told of a file that has a place for it: further text, and what columns hold. */
export interface Notes {
  readonly metadata?: Readonly<Record<string, string>> | undefined;
  readonly shapes?: ReadonlyMap<string, Shape> | undefined;
}

const writers: Readonly<Record<string, (path: string, notes: Notes) => Promise<Writer>>> = {
  jsonl: writeJsonl,
  csv: writeCsv,
  parquet: (path, { metadata = {}, shapes }) => openParquet(path, metadata, shapes),
};

export interface Output {
  /** Writes a batch: the fields of its pairs or rows, and the columns that are added to the i-th of them. */
  add(fields: readonly Fields[], resultOf: (i: number) => Fields): Promise<void>;
  /** Puts the file in its place, when all has gone well. */
  keep(): Promise<string[]>;
  /** Removes what has been written. */
  drop(): Promise<void>;
}

/** The writer of a file's format. Throws    a refusal for a name that ends otherwise than the formats do, and for an input */
export function checkOutput(path: string, inputs: readonly string[]) {
  const ending = /\.(\w+)$/.exec(path)?.[1]?.toLowerCase() ?? "";
  const create = Object.hasOwn(writers, ending) ? writers[ending] : undefined;
  if (!create)
    throw refusal(`--out: expected a name ending in .${Object.keys(writers).join(", .")}, got ${printable(path)}`);
  const isInput = (input: string): boolean => existsSync(input) && realpathSync(input) === realpathSync(path);
  if (existsSync(path) && inputs.some(isInput)) throw refusal(`--out: ${path} is an input`);
  return create;
}

/**
 * Opens a file to write to. It has another name until it is complete, so that no half of it is ever taken for the whole.
 * What a column held where it came from is what it holds here, unless it is one that is added.
 *
 * Throws    a refusal as `checkOutput` does, and where writing fails
 */
export async function openOutput(
  path: string,
  inputs: readonly string[],
  added: readonly string[],
  { metadata, shapes }: Notes = {},
): Promise<Output> {
  const create = checkOutput(path, inputs);
  const part = `${path}.part`;
  const named = async <T>(work: () => Promise<T>): Promise<T> => {
    try {
      return await work();
    } catch (error) {
      throw isSystemError(error) ? fileProblem(path, error) : error;
    }
  };
  const kept = new Map([...(shapes ?? [])].filter(([name]) => !added.includes(name)));
  const writer = await named(() => create(part, { metadata, shapes: kept }));
  const replaced = new Set<string>();
  const left = new Set<string>();
  return {
    add: (fields, resultOf) =>
      named(async () => {
        const rows = fields.map((own, i) => {
          const added = resultOf(i);
          const kept: Record<string, unknown> = {};
          for (const [name, value] of Object.entries(own)) {
            if (typeof value === "symbol") left.add(name);
            else kept[name] = value;
            if (Object.hasOwn(added, name)) replaced.add(name);
          }
          return { ...kept, ...added };
        });
        await writer.write(rows);
      }),
    keep: () =>
      named(async () => {
        await writer.close();
        await toDisk(part);
        await rename(part, path);
        const listed = (names: Set<string>): string => [...names].map(printable).join(", ");
        return [
          ...(replaced.size > 0 ? [`${path}: ${listed(replaced)} replaced by this loss's`] : []),
          ...(left.size > 0 ? [`${path}: ${listed(left)} left out, neither text nor numbers`] : []),
        ];
      }),
    drop: () => rm(part, { force: true }),
  };
}

// A name that is on the disk before what it names would be an empty file after a power cut.
async function toDisk(path: string): Promise<void> {
  const file = await open(path, "r+");
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Does the work that writes, then puts the file in its place; if it fails, nothing is left. */
export async function writing<T>(
  output: Output | undefined,
  work: () => Promise<T>,
): Promise<{ result: T; written: readonly string[] }> {
  try {
    const result = await work();
    return { result, written: (await output?.keep()) ?? [] };
  } catch (error) {
    await output?.drop();
    throw error;
  }
}

async function writeJsonl(path: string): Promise<Writer> {
  const file = await open(path, "w");
  return {
    // Unlike write, appendFile goes on until all is written.
    write: (rows) => file.appendFile(rows.map((row) => `${toJson(row)}\n`).join("")),
    close: () => file.close(),
  };
}

/** The columns are those of the first batch; RFC 4180. */
async function writeCsv(path: string): Promise<Writer> {
  const file: FileHandle = await open(path, "w");
  let names: readonly string[] | undefined;
  const line = (cells: readonly unknown[]): string => `${cells.map(cell).join(",")}\r\n`;
  return {
    write: async (rows) => {
      const isFirst = names === undefined;
      names ??= namesOf(rows);
      for (const row of rows) checkNames(row, names);
      const lines = rows.map((row) => line((names ?? []).map((name) => row[name])));
      await file.appendFile(`${isFirst ? line(names) : ""}${lines.join("")}`);
    },
    close: () => file.close(),
  };
}

function cell(value: unknown): string {
  if (value === null || value === undefined) return "";
  const text = typeof value === "object" ? toJson(value) : String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

const namesOf = (rows: readonly Fields[]): string[] => [...new Set(rows.flatMap((row) => Object.keys(row)))];

function checkNames(row: Fields, names: readonly string[]): void {
  const other = Object.keys(row).find((name) => !names.includes(name));
  if (other === undefined) return;
  throw refusal(`--out: ${printable(other)} appears after the first pairs; .jsonl has columns that vary`);
}

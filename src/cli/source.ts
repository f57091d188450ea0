// Files of pairs, whatever their format: rows with their numbers, and how far the reading has come.

import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import type { Readable } from "node:stream";
import { beginsWith, collect, peek } from "./bytes.ts";
import { readJson } from "./json-rows.ts";
import { readParquet } from "./parquet/read.ts";
import type { Shape } from "./parquet/shape.ts";
import { fileProblem, isSystemError, refusal } from "./refusal.ts";
import { toJson } from "./report.ts";
import type { Row, Source, Wanted } from "./rows.ts";
import { readRange } from "./store/folder.ts";
import { readAll } from "./store/open.ts";
import type { ReadStore } from "./store/types.ts";

export const parquetMagic = [...Buffer.from("PAR1")];

/**
 * Opens a file: Parquet, JSON lines, or a JSON array, known by how it begins; `-` is standard input.
 *
 * Of Parquet, the columns named in `wanted` are read.
 *
 * Throws    a refusal that names the file, if it cannot be opened
 */
export async function openSource(path: string, wanted: Wanted): Promise<Source> {
  if (path === "-") return openStream("stdin", process.stdin, wanted);
  try {
    const info = await stat(path);
    if (info.isDirectory()) throw refusal(`${path}: is a directory`);
    if (!info.isFile()) return await openStream(path, createReadStream(path), wanted);
    const read = (start: number, end: number) => readRange(path, start, end);
    const isParquet = /\.parquet$/i.test(path) || (info.size >= 4 && beginsWith(await read(0, 4), ...parquetMagic));
    if (isParquet) return await readParquet(path, info.size, read, wanted);
    const input = createReadStream(path);
    return readJson(path, input, { size: info.size, read: () => input.bytesRead });
  } catch (error) {
    throw isSystemError(error) ? fileProblem(path, error) : error;
  }
}

/** What comes as a stream cannot be read at any place: Parquet is taken into memory. */
async function openStream(name: string, input: Readable, wanted: Wanted): Promise<Source> {
  const { head, all } = await peek(input as AsyncIterable<Buffer>, parquetMagic.length);
  if (!beginsWith(head, ...parquetMagic)) return readJson(name, all);
  const bytes = new Uint8Array(await collect(all));
  return readParquet(name, bytes.length, async (start, end) => bytes.slice(start, end), wanted);
}

/** An object of a store that has `size` bytes: Parquet, JSON lines, or a JSON array. `label` is its name in messages. */
export async function openObject(
  label: string,
  store: ReadStore,
  name: string,
  size: number,
  wanted: Wanted,
): Promise<Source> {
  const head = await store.read(name, 0, Math.min(size, parquetMagic.length));
  if (!/\.parquet$/i.test(name) && !beginsWith(head, ...parquetMagic))
    return readJson(label, readAll(store, name, size));
  const read = async (start: number, end: number) => new Uint8Array(await store.read(name, start, end));
  return readParquet(label, size, read, wanted);
}

/** Several sources as one, in their order. Rows are numbered on from file to file; `place` finds the way back. */
export function joinSources(sources: readonly Source[]): Source {
  const [only] = sources;
  if (only && sources.length === 1) return only;
  const before: number[] = [];

  async function* rows(): AsyncGenerator<Row[]> {
    let last = 0;
    for (const source of sources) {
      const start = last;
      before.push(start);
      for await (const block of source.rows) {
        last = Math.max(last, start + (block.at(-1)?.[0] ?? 0));
        yield block.map(([number, fields]): Row => [start + number, fields]);
      }
    }
  }

  const { shapes = new Map<string, Shape>() } = only ?? {};
  const isSame = sources.every((source) => toJson([...(source.shapes ?? [])]) === toJson([...shapes]));
  return {
    ...(isSame && shapes.size > 0 && { shapes }),
    name: `${sources.length} files`,
    rows: rows(),
    place: (row) => {
      const at = before.findLastIndex((start) => start < row);
      return sources[at]?.place(row - (before[at] ?? 0)) ?? "";
    },
    // Files are counted: some are measured in bytes, some in rows.
    done: () => before.length,
    total: sources.length,
  };
}

/** The first row of a source, if there is one, and the source with all its rows. */
export async function peekRow(source: Source): Promise<{ first: Row | undefined; whole: Source }> {
  const blocks = source.rows[Symbol.asyncIterator]();
  const read: (readonly Row[])[] = [];
  let first: Row | undefined;
  for (let next = await blocks.next(); !next.done; next = await blocks.next()) {
    read.push(next.value);
    first = next.value[0];
    if (first) break;
  }
  async function* rows(): AsyncGenerator<readonly Row[]> {
    yield* read;
    yield* { [Symbol.asyncIterator]: () => blocks };
  }
  return { first, whole: { ...source, rows: rows() } };
}

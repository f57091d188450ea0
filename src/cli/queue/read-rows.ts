// The rows of a shard, from where this worker sees the job's files.

import { createHash } from "node:crypto";
import { readJson, startOf } from "../json-rows.ts";
import { toJson } from "../report.ts";
import type { Row, Source } from "../rows.ts";
import { openObject } from "../source.ts";
import { folderStore } from "../store/folder.ts";
import { labelIn, openStore } from "../store/open.ts";
import type { ReadStore } from "../store/types.ts";
import { addText } from "./plan.ts";
import { unfit } from "./problems.ts";
import type { Piece, Task } from "./task.ts";

/** Rows, numbered from 1, and where each of them stands. */
export interface ShardRows {
  readonly rows: readonly Row[];
  place(row: number): string;
}

/** Reads shards, from `data` or where the planner found the files. What must be read from its beginning stays open for the next shard. */
export function openReader(data: string | undefined): (task: Task) => Promise<ShardRows> {
  let store: ReadStore | undefined;
  const cursors = new Map<string, Cursor>();

  async function fileOf(task: Task, file: number): Promise<{ name: string; size: number; label: string }> {
    const path = task.paths[file] ?? "";
    const name = data === undefined ? path : (task.names[file] ?? "");
    store ??= data === undefined ? absoluteFiles : await openStore(data, "--data");
    const label = data === undefined ? path : labelIn(data, name);
    const size = await store.size(name);
    if (size === undefined) throw unfit(`${label}: no such file; --data says where this worker sees the job's data`);
    return { name, size, label };
  }

  async function rowsOf(
    task: Task,
    piece: Piece,
  ): Promise<{ texts: string[]; rows: () => Promise<Row[]>; source: () => Source }> {
    const { name, size, label } = await fileOf(task, piece.file);
    const from = store as ReadStore;
    if (piece.bytes) {
      const [start, end, line] = piece.bytes;
      if (end > size) throw changed(label);
      const bytes = await from.read(name, start, end);
      const lines = new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes).split("\n");
      const source = readJson(label, one(Buffer.from(bytes)));
      return {
        texts: lines.filter((text) => startOf(text) < text.length),
        rows: async () => collectRows(source),
        source: () => ({ ...source, place: (row) => `${label}:${line - 1 + row}` }),
      };
    }
    const skip = piece.skip ?? 0;
    const key = JSON.stringify([label, task.fingerprint["data"]]);
    let cursor = cursors.get(key);
    if (!cursor || cursor.at() > skip) cursor = openCursor(await openObject(label, from, name, size, "all"));
    cursors.clear();
    cursors.set(key, cursor);
    const rows = await cursor.take(skip, piece.rows);
    const { source } = cursor;
    return { texts: rows.map(([, fields]) => toJson(fields)), rows: async () => rows, source: () => source };
  }

  return async (task) => {
    const hash = createHash("sha256");
    const found = [];
    for (const piece of task.pieces) found.push(await rowsOf(task, piece));
    for (const { texts } of found) for (const text of texts) addText(hash, text);
    if (hash.digest("hex") !== task.digest) throw changed(task.place);
    const rows: Row[] = [];
    const places: (() => string)[] = [];
    for (const part of found) {
      for (const [number, fields] of await part.rows()) {
        places.push(() => part.source().place(number));
        rows.push([places.length, fields]);
      }
    }
    return { rows, place: (row) => places[row - 1]?.() ?? task.place };
  };
}

const changed = (label: string): Error => unfit(`${label}: holds other rows here than where the job was planned`);

const absoluteFiles: ReadStore = folderStore("");

async function* one(bytes: Buffer): AsyncGenerator<Buffer> {
  yield bytes;
}

async function collectRows({ rows }: Source): Promise<Row[]> {
  const all: Row[] = [];
  for await (const block of rows) all.push(...block);
  return all;
}

interface Cursor {
  readonly source: Source;
  /** How many rows have gone by. */
  at(): number;
  /** Passes over rows up to the one after `skip`, and gives `count` of them, or fewer where the file ends. */
  take(skip: number, count: number): Promise<Row[]>;
}

function openCursor(source: Source): Cursor {
  const blocks = source.rows[Symbol.asyncIterator]();
  let block: readonly Row[] = [];
  let [inBlock, at] = [0, 0];
  return {
    source,
    at: () => at,
    take: async (skip, count) => {
      const rows: Row[] = [];
      while (at < skip + count) {
        if (inBlock === block.length) {
          const next = await blocks.next();
          if (next.done) break;
          [block, inBlock] = [next.value, 0];
          continue;
        }
        // All that is passed over in this block, at once.
        const passed = Math.min(block.length - inBlock, skip - at);
        if (passed > 0) {
          inBlock += passed;
          at += passed;
          continue;
        }
        rows.push(block[inBlock++] as Row);
        at++;
      }
      return rows;
    },
  };
}

// Shards of a job's files: which rows, and where a worker finds them without reading what lies before, if that can be.

import { createHash, type Hash } from "node:crypto";
import { createReadStream } from "node:fs";
import { open } from "node:fs/promises";
import { beginsWith, isUnpacked } from "../bytes.ts";
import { startOf } from "../json-rows.ts";
import { readLines } from "../lines.ts";
import { toJson } from "../report.ts";
import { openSource, parquetMagic } from "../source.ts";
import type { Piece } from "./task.ts";

/** A shard of the job, in the order of the rows. */
export interface PlannedShard {
  readonly index: number;
  readonly rows: number;
  readonly pieces: readonly Piece[];
  readonly digest: string;
  readonly place: string;
}

/** A row as it is found again. */
interface Found {
  /** What its digest is of. */
  readonly text: string;
  /** The number of its line or row. */
  readonly number: number;
  readonly bytes?: readonly [start: number, end: number];
}

/** Reads the files as a stream; nothing is held but the shard that is being put together. */
export async function* planShards(paths: readonly string[], size: number): AsyncGenerator<PlannedShard> {
  let index = 0;
  let shard = beginShard();
  for (const [file, path] of paths.entries()) {
    const arePlain = await hasPlainLines(path);
    let skip = 0;
    for await (const block of arePlain ? plainLines(path) : rowsOf(path)) {
      for (const row of block) {
        shard.add(file, path, row, skip++);
        if (shard.rows() < size) continue;
        yield shard.end(index++);
        shard = beginShard();
      }
    }
  }
  if (shard.rows() > 0) yield shard.end(index);
}

function beginShard() {
  const hash = createHash("sha256");
  const places: { path: string; from: number; to: number }[] = [];
  const pieces: Piece[] = [];
  let rows = 0;
  return {
    rows: () => rows,
    add(file: number, path: string, { text, number, bytes }: Found, skip: number): void {
      addText(hash, text);
      rows++;
      const [last, place] = [pieces.at(-1), places.at(-1)];
      if (last?.file !== file || !place) {
        pieces.push({ file, ...(bytes ? { bytes: [...bytes, number] } : { skip }), rows: 1 });
        places.push({ path, from: number, to: number });
        return;
      }
      const [start, , line] = last.bytes ?? [0, 0, 0];
      pieces[pieces.length - 1] = {
        ...last,
        ...(bytes && { bytes: [start, bytes[1], line] }),
        rows: last.rows + 1,
      };
      place.to = number;
    },
    end: (index: number): PlannedShard => ({
      ...{ index, rows, pieces },
      digest: hash.digest("hex"),
      place: places.map(({ path, from, to }) => `${path}:${from}–${to}`).join(", "),
    }),
  };
}

/** Adds a row to a shard's digest. */
export function addText(hash: Hash, text: string): void {
  hash.update(text).update("\n");
}

/** Lines of JSON in UTF-8, not packed: each lies in the file as it is read. */
async function hasPlainLines(path: string): Promise<boolean> {
  const file = await open(path);
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(65536), 0, 65536, 0);
    const head = buffer.subarray(0, bytesRead);
    return isUnpacked(head) && !beginsWith(head, ...parquetMagic) && !/^(\ufeff)?\s*\[/.test(head.toString());
  } finally {
    await file.close();
  }
}

async function* plainLines(path: string): AsyncGenerator<Found[]> {
  let [at, number] = [0, 0];
  for await (const lines of readLines(createReadStream(path), (line) => `${path}:${line}`)) {
    const found: Found[] = [];
    for (const text of lines) {
      number++;
      const end = at + Buffer.byteLength(text);
      if (startOf(text) < text.length) found.push({ text, number, bytes: [at, end] });
      at = end + 1;
    }
    yield found;
  }
}

async function* rowsOf(path: string): AsyncGenerator<Found[]> {
  const { rows } = await openSource(path, "all");
  for await (const block of rows) yield block.map(([number, fields]) => ({ text: toJson(fields), number }));
}

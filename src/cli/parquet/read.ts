// Parquet: the columns of log-probabilities and lengths, a row group's bytes and a page's values at a time.

import type { DecodedArray } from "hyparquet";
import { fileProblem, isSystemError, refusal } from "../refusal.ts";
import type { Row, Source, Wanted } from "../rows.ts";
import { type Group, type ReadBytes, readFooter } from "./footer.ts";
import { readPages } from "./pages.ts";

/** Rows are handed on in blocks of this many. */
const blockSize = 4096;

/**
 * The rows of a Parquet file, with those of its columns that are named in `columns`. A column that cannot be read gives a
 * symbol in each row, whose description says what it holds.
 *
 * A damaged or hostile file gives the rows that it promises or a refusal that names the file and says where; it takes no
 * more memory than its size and the rows that all its parts agree on.
 */
export async function readParquet(path: string, size: number, read: ReadBytes, columns: Wanted): Promise<Source> {
  const { groups, unreadable, names } = await readFooter(read, size, columns).catch((error: unknown) => {
    throw problem(path, error);
  });
  let done = 0;

  async function* rows(): AsyncGenerator<Row[]> {
    for (const [i, group] of groups.entries()) {
      const next = await openGroup(group, i);
      for (let left = group.rows; left > 0; ) {
        const length = Math.min(left, blockSize);
        yield Array.from({ length }, (_, k): Row => [done + k + 1, next()]);
        done += length;
        left -= length;
      }
    }
  }

  /** Gives one row of the group after the other. */
  async function openGroup({ rows, chunks }: Group, i: number): Promise<() => Row[1]> {
    const cursors: [name: string, next: () => unknown][] = [];
    for (const chunk of chunks) {
      const place = `${path}: row group ${i + 1}: ${chunk.column.name}`;
      try {
        cursors.push([chunk.column.name, cursor(readPages(await read(chunk.start, chunk.end), chunk, rows), place)]);
      } catch (error) {
        throw problem(place, error);
      }
    }
    return () => {
      const row: Record<string, unknown> = { ...unreadable };
      for (const [name, next] of cursors) row[name] = next();
      return row;
    };
  }

  return {
    name: path,
    rows: rows(),
    place: (row) => `${path}: row ${row}`,
    done: () => done,
    total: groups.reduce((sum, group) => sum + group.rows, 0),
    columns: names,
  };
}

/** Gives one value of the pages after the other. */
function cursor(pages: Iterator<DecodedArray>, place: string): () => unknown {
  let page: DecodedArray = [];
  let at = 0;
  return () => {
    if (at === page.length) {
      try {
        page = pages.next().value ?? [];
      } catch (error) {
        throw problem(place, error);
      }
      at = 0;
    }
    return page[at++];
  };
}

/** What went wrong, as a refusal. Messages of the engine, from data that hyparquet takes on trust, say nothing to users. */
function problem(place: string, error: unknown): Error {
  if (isSystemError(error) && !error.code?.startsWith("Z")) return fileProblem(place, error);
  const isPlain = error instanceof Error && (error.constructor === Error || isSystemError(error));
  return refusal(`${place}: damaged, or not Parquet${isPlain ? ` (${error.message})` : ""}`);
}

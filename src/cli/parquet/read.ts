// Parquet: rows of the columns that are wanted, a page of each at a time.

import { fileProblem, isSystemError, refusal } from "../refusal.ts";
import type { Row, Source, Wanted } from "../rows.ts";
import { assemble, shapeOf } from "./assemble.ts";
import { type Cursor, cursorOver } from "./cursor.ts";
import { type Chunk, type Group, type ReadBytes, readFooter } from "./footer.ts";
import { readPages } from "./pages.ts";

/** Rows are handed on in blocks of so many; where they have texts, of fewer. */
const blockSize = 4096;
const blockOfTexts = 128;

/**
 * The rows of a Parquet file, with those of its columns that are named in `columns`. A column that cannot be read gives a
 * symbol in each row, whose description says what it holds.
 *
 * A damaged or hostile file gives the rows that it promises or a refusal that names the file and says where; it takes no
 * more memory than its size and the rows that all its parts agree on.
 */
export async function readParquet(path: string, size: number, read: ReadBytes, wanted: Wanted): Promise<Source> {
  const { groups, columns, unreadable, names } = await readFooter(read, size, wanted).catch((error: unknown) => {
    throw problem(path, error);
  });
  const shapes = new Map(columns.map((column) => [column.name, shapeOf(column)]));
  const hasTexts = columns.some(({ leaves }) => leaves.some(({ type }) => type === "BYTE_ARRAY"));
  const longest = hasTexts ? blockOfTexts : blockSize;
  let done = 0;

  async function* rows(): AsyncGenerator<Row[]> {
    for (const [i, group] of groups.entries()) {
      const opened = openGroup(group, i);
      for (let left = group.rows; left > 0; ) {
        const length = Math.min(left, longest);
        const block: Row[] = [];
        for (let k = 1; k <= length; k++) {
          if (!opened.isReady()) await opened.load();
          block.push([done + k, opened.next()]);
        }
        yield block;
        done += length;
        left -= length;
      }
      opened.end();
    }
  }

  function openGroup({ chunks }: Group, i: number) {
    const placeOf = (name: string): string => `${path}: row group ${i + 1}: ${name}`;
    const leaves = new Map(chunks.map((chunk) => [chunk.leaf, chunk]));
    const cursors = new Map<string, Cursor>();
    const readers = columns.map((column) => {
      const own = column.leaves.map((leaf): Cursor => {
        const pages = readPages(read, leaves.get(leaf) as Chunk);
        const cursor = cursorOver(pages, leaf.definitions, leaf.repetitions > 0);
        cursors.set(leaf.name, cursor);
        return cursor;
      });
      return [column.name, assemble(column, own), own] as const;
    });
    return {
      isReady(): boolean {
        for (const cursor of cursors.values()) if (!cursor.isReady()) return false;
        return true;
      },
      async load(): Promise<void> {
        for (const [name, cursor] of cursors) {
          try {
            while (!cursor.isReady()) await cursor.load();
          } catch (error) {
            throw problem(placeOf(name), error);
          }
        }
      },
      /** The next row, which must be ready. */
      next(): Row[1] {
        const row: Record<string, unknown> = { ...unreadable };
        for (const [name, read, own] of readers) {
          try {
            row[name] = read();
            if (own.some((cursor) => cursor.isWithin())) throw new Error("a row ends in its midst");
          } catch (error) {
            throw problem(placeOf(name), error);
          }
        }
        return row;
      },
      end(): void {
        for (const [name, cursor] of cursors) {
          if (cursor.isLeft()) throw problem(placeOf(name), new Error("it has more rows than promised"));
        }
      },
    };
  }

  return {
    name: path,
    rows: rows(),
    place: (row) => `${path}: row ${row}`,
    done: () => done,
    total: groups.reduce((sum, group) => sum + group.rows, 0),
    columns: names,
    shapes,
  };
}

/** What went wrong, as a refusal. Messages of the engine, from data that hyparquet takes on trust, say nothing to users. */
function problem(place: string, error: unknown): Error {
  if (isSystemError(error) && !error.code?.startsWith("Z")) return fileProblem(place, error);
  const isPlain = error instanceof Error && (error.constructor === Error || isSystemError(error));
  return refusal(`${place}: damaged, or not Parquet${isPlain ? ` (${error.message})` : ""}`);
}

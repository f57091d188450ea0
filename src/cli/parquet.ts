// Parquet: the columns of log-probabilities and lengths, one row group at a time.

import * as zlib from "node:zlib";
import type { Compressors } from "hyparquet";
import { asyncBufferFromFile, parquetMetadataAsync, parquetScan, parquetSchema } from "hyparquet";
import { fileProblem } from "./refusal.ts";
import type { Row, Source } from "./source.ts";

// hyparquet brings Snappy; Node has the others (Zstandard since 22.15).
const compressors: Compressors = {
  GZIP: (bytes) => zlib.gunzipSync(bytes),
  BROTLI: (bytes) => zlib.brotliDecompressSync(bytes),
  ...("zstdDecompressSync" in zlib && { ZSTD: (bytes: Uint8Array) => zlib.zstdDecompressSync(bytes) }),
};

/** Row groups are as large as their writer made them; they become rows in blocks of this many. */
const blockSize = 4096;

/**
 * The rows of a Parquet file, with those of its columns that are named in `columns`.
 *
 * Throws    a refusal that names the file, if it is not Parquet or is compressed in a way that cannot be read here
 */
export async function readParquet(path: string, columns: readonly string[]): Promise<Source> {
  const refuse = (error: unknown): never => {
    throw fileProblem(path, error);
  };
  const file = await asyncBufferFromFile(path);
  const metadata = await parquetMetadataAsync(file).catch(refuse);
  const names = parquetSchema(metadata)
    .children.map((child) => child.element.name)
    .filter((name) => columns.includes(name));
  let done = 0;

  async function* rows(): AsyncGenerator<Row[]> {
    const scan = await parquetScan({ file, metadata, columns: names, compressors }).catch(refuse);
    for (const group of scan.ranges) {
      const data = await Promise.all(names.map((column) => scan.readColumn({ column, ...group }))).catch(refuse);
      while (done < group.rowEnd) {
        const start = done;
        done = Math.min(start + blockSize, group.rowEnd);
        yield Array.from({ length: done - start }, (_, i): Row => {
          const fields = names.map((name, column) => [name, data[column]?.[start - group.rowStart + i]]);
          return [start + i + 1, Object.fromEntries(fields)];
        });
      }
    }
  }

  return {
    name: path,
    rows: rows(),
    place: (row) => `${path}: row ${row}`,
    done: () => done,
    total: Number(metadata.num_rows),
  };
}

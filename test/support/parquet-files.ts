// Parquet files to be read and to be damaged: pyarrow's (test/golden/parquet) and hyparquet-writer's.

import { readdirSync, readFileSync } from "node:fs";
import { parquetWriteBuffer } from "hyparquet-writer";

export type Columns = Readonly<Record<string, readonly (number | string | null)[]>>;

export interface ParquetFile {
  readonly name: string;
  readonly bytes: Uint8Array;
  /** What the file holds, NaN included. */
  readonly columns: Columns;
}

const folder = new URL("../golden/parquet/", import.meta.url);

function written(name: string, rows: number, options: object): ParquetFile {
  const numbers = (seed: number): number[] => Array.from({ length: rows }, (_, i) => -((i * seed) % 97) / 4);
  const columns: Columns = {
    policy_chosen_logps: numbers(31),
    policy_rejected_logps: numbers(37).map((value, i) => (i === 3 ? Number.NaN : value)),
    ref_chosen_logps: numbers(41).map((value, i) => (i % 5 === 0 ? null : value)),
    ref_rejected_logps: numbers(43),
  };
  const columnData = Object.entries(columns).map(([column, data]) => ({
    name: column,
    data: [...data],
    type: "DOUBLE" as const,
  }));
  return { name, bytes: new Uint8Array(parquetWriteBuffer({ columnData, ...options })), columns };
}

/** make.py gives each row a text that says its number. */
const withPrompts = (columns: Columns): Columns => ({
  ...columns,
  prompt: (Object.values(columns)[0] ?? []).map((_, i) => `prompt ${i}`),
});

/** Every page version, encoding, compression and kind of number that is read, in small files. */
export function parquetFiles(): ParquetFile[] {
  const expected = JSON.parse(readFileSync(new URL("expected.json", folder), "utf8")) as Record<string, Columns>;
  const names = readdirSync(folder).filter((name) => name.endsWith(".parquet"));
  return [
    ...names.sort().map((name) => ({
      name,
      bytes: new Uint8Array(readFileSync(new URL(name, folder))),
      columns: withPrompts(expected[name.replace(".parquet", "")] ?? {}),
    })),
    written("hyparquet-writer, Snappy", 16, {}),
    written("hyparquet-writer, several pages", 60, { codec: "UNCOMPRESSED", pageSize: 100, rowGroupSize: 40 }),
  ];
}

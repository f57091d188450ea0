// Parquet, written: columns of numbers, texts, lists, structures.

import { fileWriter, ParquetWriter } from "hyparquet-writer";
import { printable } from "../../checks/printable.ts";
import { refusal } from "../refusal.ts";
import { gatherShapes, misfit } from "./infer.ts";
import { elementsOf, type Shape } from "./shape.ts";

type Fields = Readonly<Record<string, unknown>>;
type Shapes = ReadonlyMap<string, Shape>;

/** Batches may be small, and a group of a few rows is mostly its own description. */
const leastGroup = 1024;

/**
 * Opens a file. A column has the shape that is `known` of it, or what the values of the first rows come to; those that are not
 * among them are refused.
 */
export async function openParquet(path: string, metadata: Readonly<Record<string, string>>, known: Shapes = new Map()) {
  const file = fileWriter(path);
  const kvMetadata = Object.entries(metadata).map(([key, value]) => ({ key, value }));
  let waiting: Fields[] = [];
  let shapes: Shapes | undefined;
  let writer: ParquetWriter | undefined;

  async function flush(): Promise<void> {
    const rows = waiting;
    waiting = [];
    const isFirst = shapes === undefined;
    shapes ??= shapesOf(rows, known);
    if (!isFirst || known.size > 0) for (const row of rows) check(row, shapes);
    const columns = [...shapes].map(([name]) => ({ name, data: rows.map((row) => row[name] ?? null) }));
    const schema = [...shapes].flatMap(([name, shape]) => elementsOf(name, shape));
    const root = { name: "root", num_children: shapes.size };
    writer ??= new ParquetWriter({ writer: file, schema: [root, ...schema], kvMetadata });
    await writer.write({ columnData: columns, rowGroupSize: Math.max(1, rows.length) });
  }

  return {
    async write(rows: readonly Fields[]): Promise<void> {
      waiting.push(...rows);
      if (waiting.length >= leastGroup) await flush();
    },
    async close(): Promise<void> {
      if (waiting.length > 0) await flush();
      await writer?.finish();
    },
  };
}

/** Of columns that are known, in their order, and of the others among the first rows. */
function shapesOf(rows: readonly Fields[], known: Shapes): Shapes {
  const gathered = gatherShapes();
  for (const row of rows) gathered.add(row);
  return new Map([...known, ...[...gathered.shapes()].filter(([name]) => !known.has(name))]);
}

function check(row: Fields, shapes: Shapes): void {
  for (const [name, value] of Object.entries(row)) {
    const shape = shapes.get(name);
    const problem = shape ? misfit(value, shape, name) : `${name} appears`;
    if (problem === undefined) continue;
    throw refusal(`--out: ${printable(problem)} after the first pairs; .jsonl has columns that vary`);
  }
}

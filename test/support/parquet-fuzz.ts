// Reads damaged Parquet files as the command line does, and judges each answer.

import { writeFileSync } from "node:fs";
import { performance } from "node:perf_hooks";
import { kindOfJson, refusal } from "../../src/cli/refusal.ts";
import type { Wanted } from "../../src/cli/rows.ts";
import { openSource } from "../../src/cli/source.ts";
import { type Columns, type ParquetFile, parquetFiles } from "./parquet-files.ts";
import { mutantOf } from "./parquet-mutants.ts";

/** The columns of a file, all unless others are wanted, as the command line reads them. */
export async function readColumns(path: string, wanted: Wanted = "all"): Promise<Columns> {
  const source = await openSource(path, wanted);
  const columns: Record<string, (number | string | null)[]> = {};
  for await (const block of source.rows) {
    for (const [number, row] of block) {
      for (const [name, value] of Object.entries(row)) {
        if (typeof value === "symbol") throw refusal(`${source.place(number)}: ${name}: got ${kindOfJson(value)}`);
        columns[name] ??= [];
        columns[name].push(
          typeof value === "bigint" ? Number(value) : ((value as number | string | null | undefined) ?? null),
        );
      }
    }
  }
  return columns;
}

export interface Tally {
  /** The values of the undamaged file. */
  same: number;
  /** Other values, as many of them. */
  other: number;
  refused: number;
  /** Answers that are neither, in words. */
  wrong: string[];
  worstMs: number;
}

/** Reads the mutants with these numbers, one after the other, from a file at `path`. */
export async function fuzz(path: string, from: number, to: number): Promise<Tally> {
  const files = parquetFiles();
  const tally: Tally = { same: 0, other: 0, refused: 0, wrong: [], worstMs: 0 };
  for (let number = from; number < to; number++) {
    const { file, how, bytes, columns } = mutantOf(files, number);
    writeFileSync(path, bytes);
    const start = performance.now();
    try {
      const got = await readColumns(path);
      const wrong = judge(got, file, columns);
      if (wrong === undefined) tally.same++;
      else if (wrong === "") tally.other++;
      else tally.wrong.push(`${number}: ${file.name}, ${how}: ${wrong}`);
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      const isSentence = message.startsWith(`${path}: `) && !/\n|undefined|is not a function|Cannot/.test(message);
      if (error instanceof Error && "exitCode" in error && isSentence) tally.refused++;
      else tally.wrong.push(`${number}: ${file.name}, ${how}: ${message}`);
    }
    tally.worstMs = Math.max(tally.worstMs, performance.now() - start);
  }
  return tally;
}

/** What is wrong with the answer: undefined if it is the undamaged file's, "" if it may be what the damaged one says. */
function judge(got: Columns, { columns }: ParquetFile, mayDiffer: number): string | undefined {
  const rows = Object.values(columns)[0]?.length;
  const names = Object.keys(columns);
  if (Object.keys(got).join() !== names.join()) return `columns ${Object.keys(got)}`;
  const counts = names.map((name) => got[name]?.length);
  if (counts.some((count) => count !== rows)) return `${counts} rows instead of ${rows}`;
  const different = names.filter((name) => !columns[name]?.every((value, i) => Object.is(value, got[name]?.[i])));
  if (different.length === 0) return undefined;
  return different.length <= mayDiffer ? "" : `${different} differ`;
}

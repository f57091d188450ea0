// Where results go: files of a folder, or standard output.

import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type BenchResult, runtimeName, toBencher, toCsv, toResultFile } from "../../bench.ts";
import { fileProblem } from "../refusal.ts";

export const formats = ["json", "bencher", "csv"] as const;
export type Format = (typeof formats)[number];

const endings = { json: ".json", bencher: ".bencher.json", csv: ".csv" } as const;

const texts: Readonly<Record<Format, (result: BenchResult) => string>> = {
  json: toResultFile,
  bencher: (result) => `${JSON.stringify(toBencher([result]), undefined, 1)}\n`,
  csv: (result) => toCsv([result]),
};

export const textOf = (result: BenchResult, format: Format): string => texts[format](result);

/** Writes `bench-<runtime><major>` with the ending of the format; the path of the file. */
export async function saveResult(folder: string, result: BenchResult, format: Format): Promise<string> {
  const path = join(folder, `bench-${runtimeName(result)}${endings[format]}`);
  try {
    await mkdir(folder, { recursive: true });
    await writeFile(path, textOf(result, format));
  } catch (error) {
    throw fileProblem(path, error);
  }
  return path;
}

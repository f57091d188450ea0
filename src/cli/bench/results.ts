// Where results go: files of a folder, or standard output.

import { access, constants, mkdir, rename, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { type BenchResult, runtimeName, toBencher, toCsv, toResultFile } from "../../bench.ts";
import { fileProblem, refusal } from "../refusal.ts";

export const formats = ["json", "bencher", "csv"] as const;
export type Format = (typeof formats)[number];

const endings = { json: ".json", bencher: ".bencher.json", csv: ".csv" } as const;

const texts: Readonly<Record<Format, (result: BenchResult) => string>> = {
  json: toResultFile,
  bencher: (result) => `${JSON.stringify(toBencher([result]), undefined, 1)}\n`,
  csv: (result) => toCsv([result]),
};

export const textOf = (result: BenchResult, format: Format): string => texts[format](result);

/** Writes a result, and gives the path of its file. */
export type Save = (result: BenchResult) => Promise<string>;

/**
 * Makes the folder. Each result gets a file of its own, `bench-<runtime><major>` with the ending of the format, which is there when it is
 * complete; of further ones of that name, as two builds of one Node have, the second is `bench-node26-2`.
 *
 * Throws    a refusal where nothing can be written into it
 */
export async function createSaver(folder: string, format: Format): Promise<Save> {
  if (folder === "") throw refusal("--out: expected a folder, got an empty name");
  try {
    await makeFolder(folder);
    await access(folder, constants.W_OK);
  } catch (error) {
    throw fileProblem(folder, error);
  }
  const counts = new Map<string, number>();
  return async (result) => {
    // A browser that is not known calls itself by a whole line.
    const name = runtimeName(result).replace(/[^\w.-]+/g, "-");
    const count = (counts.get(name) ?? 0) + 1;
    counts.set(name, count);
    const path = join(folder, `bench-${name}${count > 1 ? `-${count}` : ""}${endings[format]}`);
    try {
      await writeFile(`${path}.part`, textOf(result, format));
      await rename(`${path}.part`, path);
    } catch (error) {
      throw fileProblem(path, error);
    }
    return path;
  };
}

/** With those above it. Node's `recursive` tries for ever where a folder is there and takes none, as /proc. */
async function makeFolder(folder: string): Promise<void> {
  try {
    await mkdir(folder);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "EEXIST" && (await stat(folder)).isDirectory()) return;
    if (code !== "ENOENT" || dirname(folder) === folder) throw error;
    await makeFolder(dirname(folder));
    await mkdir(folder);
  }
}

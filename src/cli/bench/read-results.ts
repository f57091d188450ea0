// Results that a command is given: files, or folders of them.

import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import type { BenchResult } from "../../bench.ts";
import { printable } from "../../checks/printable.ts";
import { fileProblem, kindOfJson, refusal } from "../refusal.ts";

/** Reads them, those of a folder by name. Throws    a refusal for what is no result, and a folder without any */
export async function readResults(paths: readonly string[]): Promise<BenchResult[]> {
  const lists = await Promise.all(paths.map(filesOf));
  return Promise.all(lists.flat().map(readResult));
}

async function filesOf(path: string): Promise<string[]> {
  try {
    if (!(await stat(path)).isDirectory()) return [path];
    const names = (await readdir(path)).filter((name) => /^bench-.*(?<!\.bencher)\.json$/.test(name)).sort();
    if (names.length > 0) return names.map((name) => join(path, name));
  } catch (error) {
    throw fileProblem(path, error);
  }
  throw refusal(`${path}: expected results, files named bench-<runtime>.json, got none`);
}

async function readResult(path: string): Promise<BenchResult> {
  const text = await readFile(path, "utf8").catch((error: unknown) => {
    throw fileProblem(path, error);
  });
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw refusal(`${path}: expected a result of dpo-kernels bench, got no JSON`);
  }
  if (isResult(value)) return value;
  const { schema } = Object(value) as { schema?: unknown };
  const got = schema === undefined ? kindOfJson(value) : `schema ${printable(String(schema))}`;
  throw refusal(`${path}: expected a result of dpo-kernels bench, schema 1, got ${got}`);
}

function isResult(value: unknown): value is BenchResult {
  const { schema, figures, runtime, limits } = Object(value) as Partial<Record<keyof BenchResult, unknown>>;
  return schema === 1 && Array.isArray(figures) && typeof runtime === "object" && typeof limits === "object";
}

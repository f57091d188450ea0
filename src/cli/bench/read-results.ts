// Results that a command is given: files, or folders of them.

import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import type { BenchResult } from "../../bench.ts";
import { printable } from "../../checks/printable.ts";
import { fileProblem, kindOfJson, refusal } from "../refusal.ts";
import { faultOf } from "./result-shape.ts";

/**
 * Reads them, those of a folder by name. A copy of one is said, and left out: as another run it would make sure of what one has shown.
 *
 * Throws    a refusal for what is no result, and a folder without any
 */
export async function readResults(paths: readonly string[]): Promise<BenchResult[]> {
  const files = (await Promise.all(paths.map(filesOf))).flat();
  const results = await Promise.all(files.map(readResult));
  const firsts = new Map<string, string>();
  return results.filter((result, k) => {
    const [file = "", text] = [files[k], JSON.stringify(result)];
    const same = firsts.get(text);
    if (same === undefined) firsts.set(text, file);
    else console.error(`${printable(file)}: the same result as ${printable(same)}, and counted once`);
    return same === undefined;
  });
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
  const { schema, figures } = Object(value) as { schema?: unknown; figures?: unknown };
  if (schema !== 1 || figures === undefined) {
    const got = schema === undefined || schema === 1 ? kindOfJson(value) : `schema ${printable(String(schema))}`;
    throw refusal(`${path}: expected a result of dpo-kernels bench, schema 1, got ${got}`);
  }
  const fault = faultOf(value);
  if (fault !== undefined) throw refusal(`${path}: ${fault}`);
  return value as BenchResult;
}

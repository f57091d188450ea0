// The files that the words of the command line name.

import { existsSync } from "node:fs";
import * as fs from "node:fs/promises";
import { refusal } from "./refusal.ts";

/**
 * Paths, with patterns such as `data/*.jsonl` replaced by what they match, in alphabetical order: shells do that, but for
 * quoted patterns and on Windows.
 *
 * Throws    a refusal for a pattern without matches
 */
export async function expandPaths(words: readonly string[]): Promise<string[]> {
  const paths: string[] = [];
  for (const word of words) {
    if (!/[*?[{]/.test(word) || existsSync(word)) paths.push(word);
    else paths.push(...(await matches(word)));
  }
  return paths;
}

async function matches(pattern: string): Promise<string[]> {
  if (!("glob" in fs)) throw refusal(`${pattern}: patterns need Node 22 or newer, or a shell that replaces them`);
  const found: string[] = [];
  for await (const path of fs.glob(pattern)) found.push(path);
  if (found.length === 0) throw refusal(`${pattern}: no such files`);
  return found.sort();
}

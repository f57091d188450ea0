// What lies in dist/: the files that an entry loads, and the sources that they were made of.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export const dist = fileURLToPath(new URL("../../dist/", import.meta.url));

const textOf = (file: string): string => readFileSync(join(dist, file), "utf8");

/** The files that come at once with one of dist/: itself and the chunks that it imports, not those that it may import later. */
export function loadedWith(file: string, seen = new Set<string>()): Set<string> {
  if (seen.has(file)) return seen;
  seen.add(file);
  const imports = file.endsWith(".js") ? textOf(file).matchAll(/(?:^|;)(?:import|export)\b[^"';]*"\.\/([^"]+)"/gm) : [];
  for (const [, chunk = ""] of imports) loadedWith(chunk.replace("?module", ""), seen);
  return seen;
}

export interface SourceMap {
  sources: string[];
  sourcesContent: string[];
}

export const sourceMapOf = (file: string): SourceMap => JSON.parse(textOf(`${file}.map`));

/** The sources of those files, as paths from the root of the project. An entry that only re-exports has no map. */
export const sourcesWith = (file: string): string[] =>
  [...loadedWith(file)]
    .filter((chunk) => textOf(chunk).includes("//# sourceMappingURL="))
    .flatMap((chunk) => sourceMapOf(chunk).sources.map((source) => source.replace("../", "")));

// Writes the matrix of docs/runtimes.md from what `npm run test:engines` ran last.

import { readFileSync, writeFileSync } from "node:fs";

const read = (path: string): string => readFileSync(new URL(`../${path}`, import.meta.url), "utf8");

interface Row {
  place: string;
  simd: string;
  pool: string;
}

// The last of several runs counts.
const rows = new Map<string, Row>();
for (const line of read("build/runtimes.jsonl").trim().split("\n")) {
  const row: Row = JSON.parse(line);
  rows.set(row.place, row);
}

const byName = new Intl.Collator("en", { numeric: true }).compare;
const table = [
  "| place | SIMD in its thread | `createPool()` |",
  "| --- | --- | --- |",
  ...[...rows.values()]
    .sort((a, b) => byName(a.place, b.place))
    .map(({ place, simd, pool }) => `| ${place} | ${simd} | ${pool} |`),
].join("\n");

const page = read("docs/runtimes.md");
const marked = /(<!-- matrix -->\n)[\s\S]*?(<!-- \/matrix -->)/;
if (!marked.test(page)) throw new Error("docs/runtimes.md: expected <!-- matrix --> and <!-- /matrix -->, got none");
writeFileSync(new URL("../docs/runtimes.md", import.meta.url), page.replace(marked, `$1${table}\n$2`));

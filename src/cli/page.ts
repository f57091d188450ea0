// Pages of reports: their style, and what stands in them in the same way.

import { accessSync, constants, statSync } from "node:fs";
import { rename, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { printable } from "../checks/printable.ts";
import { fileProblem, refusal } from "./refusal.ts";

const escapes: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

export const escaped = (text: string): string => text.replace(/[&<>"']/g, (character) => escapes[character] ?? "");

/** Six digits, which is what the numbers are worth. */
export const digits = (value: unknown): string =>
  typeof value === "number" ? String(Number(value.toPrecision(6))) : "–";

/** Numbers by their names. */
export const namedTable = (rows: readonly (readonly [name: string, value: unknown])[]): string =>
  `<table>${rows.map(([name, value]) => `<tr><th>${escaped(name)}</th><td>${digits(value)}</td></tr>`).join("")}</table>`;

export const notesList = (notes: readonly string[]): string =>
  `<ul>${notes.map((note) => `<li>${escaped(note)}</li>`).join("")}</ul>`;

// Pictures are drawn for white paper; here they take the page's colours, so that they can be read on a dark one. On a narrow screen they
// scroll, since letters would be too small to read.
const style = `:root { color-scheme: light dark; --text: #222; --page: #fff; --line: #ddd }
@media (prefers-color-scheme: dark) { :root { --text: #ddd; --page: #17181c; --line: #3a3c42 } }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 760px; margin: 2rem auto; padding: 0 1rem; color: var(--text); background: var(--page) }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; width: 100% } td, th { text-align: right; padding: 2px 8px; border-bottom: 1px solid var(--line) }
td:first-child, th:first-child { text-align: left } pre { white-space: pre-wrap; margin: 0 } svg { width: 100%; height: auto; background: none !important; color: inherit !important } .picture { overflow-x: auto } .picture svg { max-width: none; min-width: 620px } details { text-align: left }`;

/** Refuses a name that no browser would open as a page, and a place where none can be written: before the work is done that it is to show. */
export function checkPageName(path: string | undefined): void {
  if (path === undefined) return;
  if (!path.endsWith(".html")) throw refusal(`--report: expected a name ending in .html, got ${printable(path)}`);
  try {
    if (statSync(path, { throwIfNoEntry: false })?.isDirectory()) throw new Error("expected a file, got a folder");
    // With the slash a file in the folder's place is none.
    accessSync(`${dirname(path)}/`, constants.W_OK);
  } catch (error) {
    throw fileProblem(path, error);
  }
}

const scrolling = (body: string): string => body.replace(/<svg [\s\S]*?<\/svg>/g, '<div class="picture">$&</div>');

/** Writes a page; it appears under its name when it is complete. Throws    a refusal where writing fails */
export async function writePage(path: string, title: string, body: string): Promise<void> {
  const page = `<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>${escaped(title)}</title><style>${style}</style>
${scrolling(body)}
</html>
`;
  try {
    await writeFile(`${path}.part`, page);
    await rename(`${path}.part`, path);
  } catch (error) {
    throw fileProblem(path, error);
  }
}

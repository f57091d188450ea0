// The API reference that ships with the package: every entry is in it, and its doc comments give no warning.

import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

const read = (file: string) => JSON.parse(readFileSync(file, "utf8"));
const { exports: entries, scripts } = read("package.json") as {
  exports: Record<string, { types?: string } | string>;
  scripts: Record<string, string>;
};
const { entryPoints, treatWarningsAsErrors } = read("typedoc.json") as {
  entryPoints: string[];
  treatWarningsAsErrors: boolean;
};

/** Entries for bundlers and platforms: the same declarations, or none to call. */
const others = /^\.\/(workerd|edge-light|worker|.*\.wasm(\?module)?|package\.json)$/;
const named = Object.keys(entries).filter((name) => !others.test(name));
const pageOf = (source: string) => source.replace(/^src\//, "").replace(/\.ts$/, ".md");

let folder = "";
let said = "";
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "api-"));
  const typedoc = "node_modules/typedoc/bin/typedoc";
  const { stdout, stderr } = await promisify(execFile)(process.execPath, [typedoc, "--out", folder]);
  said = stdout + stderr;
}, 240_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("is made without a warning, when the package is packed", () => {
  expect(treatWarningsAsErrors).toBe(true);
  expect(said).toMatch(/markdown generated/);
  expect(said).not.toMatch(/\[warning\]|\[error\]/);
  expect(scripts["prepack"]).toMatch(/ && typedoc /);
});

test("has every entry", () => {
  const sources = named.map((name) => (name === "." ? "index" : name.slice(2)));
  expect(entryPoints.map((source) => pageOf(source).replace(/^adapters\/|\.md$/g, "")).sort()).toEqual(sources.sort());
});

describe.each(entryPoints)("%s", (source) => {
  test("names all that it exports", async () => {
    const page = readFileSync(join(folder, pageOf(source)), "utf8");
    const exported = Object.keys(await import(`../${source}`));
    expect(exported.length).toBeGreaterThan(0);
    const missing = exported.filter(
      (name) => !new RegExp(`^#+ ${name}(\\(\\))?$`, "m").test(page.replaceAll("\\", "")),
    );
    expect(missing).toEqual([]);
  });
});

test("keeps the lines of doc comments apart", () => {
  const page = readFileSync(join(folder, "train.md"), "utf8");
  expect(page).toMatch(/^\*\*Throws\*\* ShapeError for other lengths and shared memory/m);
});

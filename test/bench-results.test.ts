// Files of results: what is none, or a damaged one, is refused with the place; what is written is complete, and nothing of it replaced.

import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test, vi } from "vitest";
import { toResultFile } from "../src/bench.ts";
import { readResults } from "../src/cli/bench/read-results.ts";
import { createSaver } from "../src/cli/bench/results.ts";
import { runOf } from "./support/rounds.ts";

const folder = mkdtempSync(join(tmpdir(), "dpo-kernels-results-"));
afterAll(() => rmSync(folder, { recursive: true }));

const sound = runOf(
  [1, 2].map((time) => ({ case: `pairs/case/${time}`, candidate: "plain", time })),
  6,
  1,
);

/** A file whose text is that of a sound result with some part of it replaced. */
function withPart(path: readonly (string | number)[], part: string): string {
  const copy = structuredClone(sound) as unknown as Record<string | number, never>;
  const parent = path.slice(0, -1).reduce((value, key) => value[key] as never, copy);
  parent[path.at(-1) as string] = "PART" as never;
  const file = join(folder, "damaged.json");
  writeFileSync(file, JSON.stringify(copy).replace('"PART"', part));
  return file;
}

describe("a result that is damaged is refused where it is", () => {
  test.each<[path: (string | number)[], part: string, message: string]>([
    [["figures"], "null", "figures: expected an array, got null"],
    [["figures", 1], "null", "figures[1]: expected an object, got null"],
    [["figures", 1, "median"], '"fast"', "figures[1].median: expected a number, 0 or more, got a string"],
    // What JSON.stringify makes of NaN, and JSON.parse of what is larger than a number can be.
    [["figures", 0, "lower"], "null", "figures[0].lower: expected a number, 0 or more, got null"],
    [["figures", 0, "rounds", 2], "1e999", "figures[0].rounds[2]: expected a number, 0 or more, got Infinity"],
    [["figures", 0, "rounds", 2], "-1", "figures[0].rounds[2]: expected a number, 0 or more, got -1"],
    [["figures", 0, "rounds"], "{}", "figures[0].rounds: expected an array, got an object"],
    [["figures", 0, "units"], "0", "figures[0].units: expected a whole number, 1 or more, got 0"],
    [["figures", 0, "case"], '"case"', "figures[0].case: expected a name with a /, got a string"],
    [["figures", 0, "arrays"], '"here"', "figures[0].arrays: expected allocate, own, fresh, got a string"],
    [["figures", 0, "ours"], "1", "figures[0].ours: expected true or false, got 1"],
    [["figures", 0, "error"], "{}", "figures[0].error.value: expected a number, 0 or more, got none"],
    [["runtime"], "null", "runtime: expected an object, got null"],
    [["machine"], "[]", "machine: expected an object, got an array"],
    [["limits", "plain"], "null", "limits.plain: expected a number, 0 or more, got null"],
    [["versions", "x"], "1", "versions.x: expected a text, got 1"],
    [["skipped"], '[{"candidate":"js"}]', "skipped[0].why: expected a text, got none"],
    [["notes"], "{}", "notes: expected an array, got an object"],
    [
      ["figures", 1, "case"],
      '"pairs/case/1"',
      "figures[1]: expected each figure once, got another pairs/case/1:plain:allocate",
    ],
  ])("%j %s", async (path, part, message) => {
    const file = withPart(path, part);
    await expect(readResults([file])).rejects.toThrow(`${file}: ${message}`);
  });
});

test("committed results are sound", async () => {
  expect((await readResults(["bench/results"])).length).toBeGreaterThan(9);
});

test("a copy of a result is no further run", async () => {
  const copies = join(folder, "copies");
  mkdirSync(copies);
  for (const name of ["bench-a.json", "bench-b.json"]) writeFileSync(join(copies, name), toResultFile(sound));
  writeFileSync(join(copies, "bench-c.json"), toResultFile({ ...sound, date: "2026-11-30T01:00:00Z" }));
  const said = vi.spyOn(console, "error").mockImplementation(() => {});
  const results = await readResults([copies, join(copies, "bench-a.json")]);
  expect(results.map(({ date }) => date.slice(11, 13))).toStrictEqual(["00", "01"]);
  expect(said.mock.calls.flat()).toStrictEqual(
    ["bench-b.json", "bench-a.json"].map(
      (name) => `${join(copies, name)}: the same result as ${join(copies, "bench-a.json")}, and counted once`,
    ),
  );
  said.mockRestore();
});

describe("what is written", () => {
  test("is complete under its name, and two results of one runtime have two files", async () => {
    const out = join(folder, "new/results");
    const save = await createSaver(out, "json");
    const names = ["bench-node26.json", "bench-node26-2.json", "bench-My-browser-.json"];
    const browser = { ...sound, runtime: { ...sound.runtime, name: "My/browser;", version: "" } };
    for (const [k, result] of [sound, { ...sound, date: "later" }, browser].entries()) {
      expect(await save(result)).toBe(join(out, names[k] as string));
    }
    expect(readdirSync(out).sort()).toStrictEqual(names.toSorted());
    expect(JSON.parse(readFileSync(join(out, names[1] as string), "utf8")).date).toBe("later");
  });

  test.each<readonly [path: string, message: string]>([
    ["", "--out: expected a folder, got an empty name"],
    ["package.json", "package.json: file already exists"],
    ["package.json/results", "package.json/results: not a directory"],
    // A folder that takes none.
    ...(process.platform === "linux" ? [["/proc/results", "/proc/results: no such file or directory"] as const] : []),
  ])("is refused before anything is measured: into %j", async (path, message) => {
    await expect(createSaver(path, "json")).rejects.toThrow(message);
  });
});

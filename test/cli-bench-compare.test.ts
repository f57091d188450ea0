// `dpo-kernels bench --compare`, `--against` and `--report`, as they are typed.

import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { folder, run } from "./cli-run.ts";
import { runOf } from "./support/rounds.ts";

/** A folder of three results whose second case takes `slower` times as long. */
function results(name: string, slower: number, seed: number): string {
  const path = join(folder, name);
  mkdirSync(path);
  for (let k = 0; k < 3; k++) {
    const series = [1, slower].map((time, i) => ({ case: `pairs/case/${i}`, candidate: "relaxed", time }));
    writeFileSync(
      join(path, `bench-node26-${k}.json`),
      JSON.stringify(runOf(series, 40, seed + k, { busy: 0, drift: 0 })),
    );
  }
  return path;
}

const before = results("before", 1, 1);
const slower = results("slower", 1.3, 10);
const same = results("same", 1, 20);

describe("--compare of results", () => {
  test("says what is slower, first; the exit status is 0 unless it is asked for", () => {
    const { stdout, status } = run(["bench", "--compare", before, slower]);
    expect(stdout).toMatch(
      /pairs\/case\/1 .* 1\.(2[89]|3[01])\d .* slower .* 99\.9 %[\s\S]*pairs\/case\/0 .* unchanged/,
    );
    expect(stdout).toContain("1 slower, 0 faster, 0 unclear, 1 unchanged");
    expect(status).toBe(0);
    expect(run(["bench", "--compare", before, slower, "--fail-on-slower"]).status).toBe(1);
    expect(run(["bench", "--compare", slower, before, "--fail-on-slower"]).status).toBe(0);
    expect(run(["bench", "--compare", before, same, "--fail-on-slower"]).status).toBe(0);
  });

  test("prints JSON", () => {
    const { stdout } = run(["bench", "--compare", before, slower, "--format", "json"]);
    const { interleaved, changes } = JSON.parse(stdout);
    expect([interleaved, changes.map(({ verdict }: { verdict: string }) => verdict)]).toStrictEqual([
      false,
      ["unchanged", "slower"],
    ]);
  });

  test.each([
    ["one path", [before], "--compare: expected two paths, got 1"],
    ["no results", [before, "src"], "src: expected results, files named bench-<runtime>.json, got none"],
    ["nothing there", [before, "nowhere"], "nowhere: no such file or directory"],
    [
      "another file",
      [before, "package.json"],
      "package.json: expected a result of dpo-kernels bench, schema 1, got an object",
    ],
    ["no JSON", [before, "README.md"], "README.md: expected a result of dpo-kernels bench, got no JSON"],
  ])("refuses %s", (_, paths, message) => {
    const { stderr, status } = run(["bench", "--compare", ...paths]);
    expect([stderr.trim(), status]).toStrictEqual([`error: ${message}`, 2]);
  });

  test("--against wants a build", () => {
    const { stderr, status } = run(["bench", "--against", before]);
    expect([stderr.trim(), status]).toStrictEqual([
      `error: ${before}: expected a folder of the package, with dist/index.js, got none`,
      2,
    ]);
  });
});

test("--against measures two builds in the same rounds", () => {
  // The sources stand in for another build.
  const build = join(folder, "build");
  mkdirSync(build);
  writeFileSync(join(build, "index.js"), `export * from ${JSON.stringify(join(process.cwd(), "src/index.ts"))};`);
  const args = ["bench", "--quick", "--against", build, "--cases", "pairs/sigmoid/64", "--format", "json"];
  const { interleaved, changes } = JSON.parse(run(args).stdout);
  expect(interleaved).toBe(true);
  expect(changes.map(({ candidate, arrays }: Record<string, string>) => `${candidate} ${arrays}`)).toStrictEqual([
    "plain allocate",
    "plain own",
    "relaxed allocate",
    "relaxed own",
    "js own",
  ]);
});

test("one folder given twice is two builds: not even modules behind the entry are shared", () => {
  const build = join(folder, "twice");
  mkdirSync(build);
  const source = JSON.stringify(join(process.cwd(), "src/index.ts"));
  writeFileSync(join(build, "index.js"), 'export * from "./chunk.js";');
  writeFileSync(join(build, "chunk.js"), `console.error("loaded", import.meta.url); export * from ${source};`);
  const args = ["bench", "--quick", "--compare", build, build, "--cases", "pairs/sigmoid/8", "--format", "json"];
  const { stdout, stderr } = run(args);
  const loaded = stderr.match(/loaded file:\S+/g) ?? [];
  expect([loaded.length, new Set(loaded).size]).toStrictEqual([2, 2]);
  expect(JSON.parse(stdout).changes.length).toBe(5);
  const copy = new URL(loaded[1]?.slice("loaded ".length) ?? "");
  expect(existsSync(copy)).toBe(false);
});

describe("--report of results", () => {
  test("draws them on a page", () => {
    const page = join(folder, "bench.html");
    const { stdout, status } = run(["bench", "--report", page, before, join(same, "bench-node26-0.json")]);
    expect([stdout, status]).toStrictEqual([`${page} written\n`, 0]);
    expect(readFileSync(page, "utf8")).toContain("<td>node 26 (4)</td>");
  });

  test.each([
    [
      "a name that is no page",
      ["--report", "bench.txt", before],
      "--report: expected a name ending in .html, got bench.txt",
    ],
    ["no name", [before], "--report: expected the name of the page to draw these results on, got none"],
  ])("refuses %s", (_, args, message) => {
    const { stderr, status } = run(["bench", ...args]);
    expect([stderr.trim(), status]).toStrictEqual([`error: ${message}`, 2]);
  });
});

// The memory of score does not grow with its data: 30,000 pairs of messages, 62 MB of text, with less for objects of JavaScript than
// that. Measured for docs/command-line.md: 100,000 of them, 207 MB, with 40 MB, and without a limit at most 206 MB of the whole
// process to JSON lines, where 10,000 take 205 MB.

import { spawnSync } from "node:child_process";
import { closeSync, openSync, readFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { beforeAll, describe, expect, it, vi } from "vitest";
import { folder } from "./cli-run.ts";

vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 });

const PAIRS = 30_000;
const MEGABYTES = 48;

describe(`score of ${PAIRS} pairs, with ${MEGABYTES} MB for objects`, () => {
  beforeAll(() => {
    const file = openSync(join(folder, `data-${PAIRS}.jsonl`), "w");
    const said = (role: string, i: number) => [
      { role, content: `${i} ${"The cat sat on the mat and looked at the rain. ".repeat(8 + (i % 12))}` },
    ];
    for (let i = 0; i < PAIRS; i++) {
      const row = {
        id: i,
        prompt: said("user", 7 * i),
        chosen: said("assistant", 7 * i + 1),
        rejected: said("assistant", 7 * i + 2),
      };
      writeSync(file, `${JSON.stringify(row)}\n`);
    }
    closeSync(file);
  });

  // The second makes the third's data.
  it.each([
    ["data", "jsonl", "written", "jsonl"],
    ["data", "jsonl", "written", "parquet"],
    ["written", "parquet", "again", "parquet"],
  ])("%s.%s to %s.%s", (data, from, out, to) => {
    const child = fileURLToPath(new URL("support/score-memory-child.ts", import.meta.url));
    const paths = [`${data}-${PAIRS}.${from}`, `${out}-${PAIRS}.${to}`].map((name) => join(folder, name));
    const flags = ["--disable-warning=ExperimentalWarning", `--max-old-space-size=${MEGABYTES}`];
    const { status, stdout, stderr } = spawnSync(process.execPath, [...flags, child, ...paths], { encoding: "utf8" });
    expect({ status, stderr: stderr.slice(0, 300) }).toEqual({ status: 0, stderr: "" });
    expect(JSON.parse(stdout).pairs).toBe(PAIRS);
    if (to === "jsonl") expect(readFileSync(paths[1] as string).length).toBeGreaterThan(MEGABYTES * 2 ** 20);
  });
});

// 10,000 damaged Parquet files: each is answered, in 5 seconds and 500 MB, as test/support/parquet-fuzz.ts judges.

import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, it, vi } from "vitest";
import { folder, run, write } from "./cli-run.ts";
import { parquetFiles } from "./support/parquet-files.ts";
import type { Tally } from "./support/parquet-fuzz.ts";
import { mutantOf } from "./support/parquet-mutants.ts";

vi.setConfig({ testTimeout: 600_000 });

const child = fileURLToPath(new URL("support/parquet-fuzz-child.ts", import.meta.url));

it.each(Array.from({ length: 10 }, (_, i) => i * 1000))("mutants from %i", (from) => {
  const args = [child, join(folder, "mutant.parquet"), String(from), String(from + 1000)];
  const { stdout, stderr, status } = spawnSync(process.execPath, args, { encoding: "utf8" });
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  const { wrong, worstMs, megabytes, same, other, refused } = JSON.parse(stdout) as Tally & { megabytes: number };
  console.log(`${same} as before, ${other} changed, ${refused} refused; at most ${worstMs} ms, ${megabytes} MB`);
  expect(wrong).toEqual([]);
  expect(same + other + refused).toBe(1000);
  expect(worstMs).toBeLessThan(5000);
  expect(megabytes).toBeLessThan(500);
});

it("the command line ends with status 0 or 2 and a sentence", () => {
  const files = parquetFiles();
  for (let number = 0; number < 100; number++) {
    const path = write("mutant.parquet", mutantOf(files, 20_000 + number).bytes);
    const { status, stdout, stderr } = run(["loss", path, "--json", "--reference-free"]);
    const isRead = status === 0 && stderr === "" && stdout.startsWith("{");
    const isRefused = status === 2 && stdout === "" && /^error: [^\n]+\n$/.test(stderr);
    expect({ number, isAnswered: isRead || isRefused }).toEqual({ number, isAnswered: true });
  }
});

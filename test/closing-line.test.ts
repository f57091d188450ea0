// The last line of CI: the sum of what both suites counted, and a suite that left no count has failed.

import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";

const root = fileURLToPath(new URL("../", import.meta.url));
let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "dpo-kernels-counts-"));
  for (const name of ["scripts", "build/counts"]) mkdirSync(join(folder, name), { recursive: true });
  cpSync(join(root, "scripts/test.ts"), join(folder, "scripts/test.ts"));
});
afterEach(() => rmSync(folder, { recursive: true }));

/** The last line, what stands before it and the status, given the counts that suites left. */
function total(counts: Record<string, unknown>): { told: string[]; last: string | undefined; status: number | null } {
  for (const [suite, count] of Object.entries(counts)) {
    writeFileSync(join(folder, `build/counts/${suite}.json`), JSON.stringify(count));
  }
  const script = join(folder, "scripts/test.ts");
  const { stdout, status } = spawnSync(process.execPath, [script, "total"], { encoding: "utf8" });
  const told = stdout.trimEnd().split("\n");
  return { told, last: told.at(-1), status };
}

const main = { passed: 100, failed: 0, skipped: 0, failures: [] };
const engines = { passed: 20, failed: 0, skipped: 3, failures: [] };

test("sums the suites", () => {
  expect(total({ main, engines })).toMatchObject({ last: "120 passed, 0 failed, 3 skipped", status: 0 });
  expect(total({ main, engines: { ...engines, skipped: 0 } })).toMatchObject({
    last: "120 passed, 0 failed",
    status: 0,
  });
});

test("a failure in either one fails", () => {
  expect(total({ main: { ...main, failed: 2 }, engines })).toMatchObject({
    last: "120 passed, 2 failed, 3 skipped",
    status: 1,
  });
});

test("the failures of both are told before it", () => {
  const failing = { ...main, failed: 2, failures: ["test/a.test.ts: one: why", "types"] };
  const { told } = total({ main: failing, engines: { ...engines, failed: 1, failures: ["test/b.test.ts: two: why"] } });
  expect(told.slice(0, 4)).toEqual(["Failed:", "  test/a.test.ts: one: why", "  types", "  test/b.test.ts: two: why"]);
});

test("a suite that left no count, or one that says nothing, has failed", () => {
  expect(total({ main })).toMatchObject({ last: "100 passed, 1 failed", status: 1 });
  expect(total({ main, engines: {} })).toMatchObject({ last: "100 passed, 1 failed", status: 1 });
});

test("CI runs every suite that the total wants, and ends with it", () => {
  const { scripts } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  const ci = readFileSync(join(root, ".ci/run"), "utf8").trimEnd().split("\n");
  expect(ci.filter((line) => /^npm /.test(line))).toEqual([
    "npm start",
    "npm test || true",
    "npm run test:engines || true",
    "npm run --silent test:total",
  ]);
  expect(ci.at(-1)).toBe("npm run --silent test:total");
  expect(scripts).toMatchObject({
    test: "node scripts/test.ts main",
    "test:engines": "node scripts/test.ts engines",
    "test:total": "node scripts/test.ts total",
  });
});

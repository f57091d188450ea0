// `npm test`: every check and suite of the project, one after the other, closed by one line that sums them all.
// A suite that reports no test counts as failed, so none can go missing unnoticed.

import { spawnSync } from "node:child_process";
import { readFileSync, rmSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { stripVTControlCharacters } from "node:util";

interface Count {
  passed: number;
  failed: number;
  skipped: number;
}

const root = fileURLToPath(new URL("../", import.meta.url));
const report = "build/vitest.json";
const bin = (name: string): string => `node_modules/.bin/${name}`;

// A check is one test: it passes when its command does.
const check = (status: number | null): Count => ({
  passed: status === 0 ? 1 : 0,
  failed: status === 0 ? 0 : 1,
  skipped: 0,
});

// as-pect closes with "[Tests]: 166 / 166", in colours.
function asPect(status: number | null, output: string): Count {
  const [, passed = 0, total = 0] =
    stripVTControlCharacters(output)
      .match(/\[Tests\]: (\d+) \/ (\d+)/)
      ?.map(Number) ?? [];
  const failed = total - passed;
  return total > 0 && (failed > 0 || status === 0) ? { passed, failed, skipped: 0 } : check(1);
}

function vitest(status: number | null): Count {
  const json = JSON.parse(readFileSync(new URL(`../${report}`, import.meta.url), "utf8"));
  const { numPassedTests: passed, numFailedTests: failed, numPendingTests: skipped } = json;
  if (passed + failed === 0 || (status !== 0 && failed === 0)) return { passed, failed: failed + 1, skipped };
  return { passed, failed, skipped };
}

const steps: [title: string, command: string[], count: (status: number | null, output: string) => Count][] = [
  ["generated files match their source", ["node", "scripts/generate.ts", "--check"], check],
  ["modules match assembly/", ["node", "scripts/build-wasm.ts", "--check"], check],
  ["build", ["node", "scripts/build.ts", "--quiet"], check],
  ["format and lint", [bin("biome"), "ci", "--reporter=summary"], check],
  ["types", [bin("tsc"), "-p", "."], check],
  ["types of the adapters' examples and tests", [bin("tsc"), "-p", "examples/adapters"], check],
  ["kernels in AssemblyScript (as-pect), SIMD", [bin("asp"), "--no-logo"], asPect],
  [
    "kernels in AssemblyScript (as-pect), relaxed SIMD",
    [bin("asp"), "--no-logo", "--as-config", "as-pect.relaxed.asconfig.json"],
    asPect,
  ],
  [
    "everything else (vitest)",
    [bin("vitest"), "run", "--reporter=default", "--reporter=json", `--outputFile=${report}`],
    vitest,
  ],
  ["main job (npm start)", ["node", "examples/losses-on-real-pairs.ts"], check],
];

rmSync(new URL(`../${report}`, import.meta.url), { force: true });
const total: Count = { passed: 0, failed: 0, skipped: 0 };
const failures: string[] = [];
for (const [title, [command = "", ...args], count] of steps) {
  console.log(`\n── ${title}`);
  const started = performance.now();
  const { status, stdout } = spawnSync(command, args, {
    cwd: root,
    stdio: ["ignore", "pipe", "inherit"],
    encoding: "utf8",
  });
  console.log(stdout.trimEnd());
  const { passed, failed, skipped } = count(status, stdout);
  console.log(`   ${passed} passed, ${failed} failed in ${((performance.now() - started) / 1000).toFixed(1)} s`);
  total.passed += passed;
  total.failed += failed;
  total.skipped += skipped;
  if (failed > 0) failures.push(title);
}
if (failures.length > 0) console.log(`\nFailed: ${failures.join("; ")}`);
console.log(`\n${total.passed} passed, ${total.failed} failed${total.skipped > 0 ? `, ${total.skipped} skipped` : ""}`);
process.exitCode = total.failed > 0 ? 1 : 0;

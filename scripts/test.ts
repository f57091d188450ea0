// `npm test` and `npm run test:engines`: checks and suites, closed by one line that sums them. Each leaves its count in build/counts/,
// and `npm run test:total` sums those of all: a suite that is missing, or reports no test, has failed.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { stripVTControlCharacters } from "node:util";

interface Count {
  passed: number;
  failed: number;
  skipped: number;
  /** Each failed test in a line: the last thing that a log tells, since its middle is rarely kept. */
  failures: string[];
}

type Step = [title: string, command: string[], count: (status: number | null, output: string) => Count];

const root = fileURLToPath(new URL("../", import.meta.url));
const report = `${root}build/vitest.json`;
const countsOf = (suite: string): string => `${root}build/counts/${suite}.json`;
const bin = (name: string): string => `node_modules/.bin/${name}`;

const none: Count = { passed: 0, failed: 0, skipped: 0, failures: [] };
const sum = (a: Count, b: Count): Count => ({
  passed: a.passed + b.passed,
  failed: a.failed + b.failed,
  skipped: a.skipped + b.skipped,
  failures: [...a.failures, ...b.failures],
});

// A check is one test: it passes when its command does.
const check = (status: number | null): Count => ({ ...none, [status === 0 ? "passed" : "failed"]: 1 });

// as-pect closes with "[Tests]: 166 / 166", in colours.
function asPect(status: number | null, output: string): Count {
  const [, passed = 0, total = 0] =
    stripVTControlCharacters(output)
      .match(/\[Tests\]: (\d+) \/ (\d+)/)
      ?.map(Number) ?? [];
  const failed = total - passed;
  return total > 0 && (failed > 0 || status === 0) ? { ...none, passed, failed } : check(1);
}

interface VitestFile {
  name: string;
  status: string;
  message: string;
  assertionResults: { status: string; fullName: string; failureMessages: string[] }[];
}

function vitest(status: number | null): Count {
  const json = JSON.parse(readFileSync(report, "utf8"));
  const { numPassedTests: passed, numFailedTests: failed, numPendingTests: skipped } = json;
  const failures = json.testResults.flatMap(failuresOf);
  if (passed + failed === 0 || (status !== 0 && failed === 0)) return { passed, failed: failed + 1, skipped, failures };
  return { passed, failed, skipped, failures };
}

/** A file that failed without a test, when it was loaded or cleared up, tells its own message. */
function failuresOf({ name, status, message, assertionResults }: VitestFile): string[] {
  const line = (what: string, why = "") => `${name.replace(root, "")}: ${what}: ${why.split("\n", 1)[0]}`;
  const failed = assertionResults.filter((test) => test.status === "failed");
  if (failed.length === 0 && status === "failed") return [line("the file", message)];
  return failed.map(({ fullName, failureMessages }) => line(fullName.trim(), failureMessages[0]));
}

const vitestOn = (...projects: string[]): string[] => [
  bin("vitest"),
  "run",
  ...projects.flatMap((name) => ["--project", name]),
  "--reporter=default",
  "--reporter=json",
  `--outputFile=${report}`,
];

const build: Step = ["build", ["node", "scripts/build.ts", "--quiet"], check];

/** What each stage needs is there when it begins; its steps run as many at once as there are cores, the longest first. */
const suites: Record<string, Step[][]> = {
  main: [
    [
      ["modules match assembly/", ["node", "scripts/build-wasm.ts", "--check"], check],
      build,
      ["generated files match their source", ["node", "scripts/generate.ts", "--check"], check],
    ],
    [
      ["kernels in AssemblyScript (as-pect), SIMD", [bin("asp"), "--no-logo"], asPect],
      [
        "kernels in AssemblyScript (as-pect), relaxed SIMD",
        [bin("asp"), "--no-logo", "--as-config", "as-pect.relaxed.asconfig.json"],
        asPect,
      ],
      ["types", [bin("tsc"), "-p", "."], check],
      ["types of the adapters' examples and tests", [bin("tsc"), "-p", "examples/adapters"], check],
      ["format and lint", [bin("biome"), "ci", "--reporter=summary"], check],
    ],
    [["everything else in Node (vitest)", vitestOn("node", "alone"), vitest]],
    [["main job (npm start)", ["node", "examples/losses-on-real-pairs.ts"], check]],
  ],
  engines: [
    [build],
    [["heavy and slow tests in Node, Bun, Deno, other Nodes (vitest)", vitestOn("heavy", "slow", "programs"), vitest]],
    [["browsers, bundlers (vitest)", vitestOn("engines"), vitest]],
  ],
};

/** Its output is told when it ends: that of two at once would be mixed. */
async function run([title, [command = "", ...args], count]: Step): Promise<Count> {
  rmSync(report, { force: true });
  const started = performance.now();
  const child = spawn(command, args, { cwd: root, stdio: ["ignore", "pipe", "inherit"] });
  const ended = once(child, "exit").catch((error: unknown) => [String(error)]);
  const [stdout, [status]] = await Promise.all([text(child.stdout), ended]);
  console.log(`\n── ${title}\n${typeof status === "string" ? status : stdout.trimEnd()}`);
  const result = counted(() => count(status, stdout));
  if (result.failed > 0 && result.failures.length === 0) result.failures = [title];
  console.log(
    `   ${result.passed} passed, ${result.failed} failed in ${((performance.now() - started) / 1000).toFixed(1)} s`,
  );
  return result;
}

async function runStage(stage: readonly Step[]): Promise<Count> {
  const left = [...stage];
  const counts: Count[] = [];
  const work = async (): Promise<void> => {
    for (let step = left.shift(); step; step = left.shift()) counts.push(await run(step));
  };
  await Promise.all(Array.from({ length: availableParallelism() }, work));
  return counts.reduce(sum, none);
}

/** A suite whose report is not there to be read has failed. */
function counted(read: () => Count): Count {
  try {
    return read();
  } catch (error) {
    console.log(String(error));
    return check(1);
  }
}

async function runSuite(suite: string, stages: Step[][]): Promise<void> {
  rmSync(countsOf(suite), { force: true });
  let total = none;
  for (const stage of stages) total = sum(total, await runStage(stage));
  mkdirSync(`${root}build/counts`, { recursive: true });
  writeFileSync(countsOf(suite), JSON.stringify(total));
  console.log();
  close(total);
}

function sumSuites(): void {
  const counts = Object.keys(suites).map((suite) => counted(() => readCount(suite)));
  close(counts.reduce(sum, none));
}

function readCount(suite: string): Count {
  const count: Count = JSON.parse(readFileSync(countsOf(suite), "utf8"));
  if (count.passed + count.failed > 0) return count;
  throw new Error(`${suite}: no test was counted`);
}

function close({ passed, failed, skipped, failures }: Count): void {
  if (failures.length > 0) console.log(`Failed:\n${failures.map((line) => `  ${line}\n`).join("")}`);
  console.log(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`);
  process.exitCode = failed > 0 ? 1 : 0;
}

const [, , wanted = "main"] = process.argv;
const stages = suites[wanted];
if (wanted === "total") sumSuites();
else if (stages) await runSuite(wanted, stages);
else throw new Error(`expected ${Object.keys(suites).join(", ")} or total, got ${wanted}`);

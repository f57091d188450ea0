// `npm run bench`: every runtime that this repository installs or the machine has, each beside the peers that run there, then the native
// yardsticks, then the page of it all. What is said on the command line goes to `dpo-kernels bench`: `npm run bench -- --quick`.

import { spawnSync } from "node:child_process";
import { delimiter } from "node:path";
import { fileURLToPath } from "node:url";

const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url));
const tools = "../test/runtimes/tools/node_modules";
const words = process.argv.slice(2);
// Results that are committed are of everything.
const isWhole = words.length === 0;
const out = path(isWhole ? "results" : "../build/bench");

const nodes = ["node20", "node22", "node24"].map((name) => `node=${path(`${tools}/${name}/bin/node`)}`);
const workerd = `workerd=${path(`${tools}/workerd/bin/workerd`)}`;

/** Peers are those that are installed in this folder; Deno and Bun are the repository's. */
function run(args: readonly string[]): boolean {
  const PATH = [path("../node_modules/.bin"), process.env["PATH"]].join(delimiter);
  const { status } = spawnSync(process.execPath, args, {
    cwd: path("."),
    stdio: "inherit",
    env: { ...process.env, PATH },
  });
  return status === 0;
}

const cli = path("../dist/cli.js");
const runtimes = ["all", ...nodes, workerd].join(",");
const went = [
  run([cli, "bench", "--runtimes", runtimes, "--out", out, ...words]),
  // They know no other words.
  words.every((word) => word === "--quick") ? run([path("yardsticks.bench.ts"), ...words]) : true,
  run([cli, "bench", "--report", `${out}/bench.html`, out]),
  // README and docs show what is committed.
  isWhole ? run([path("../scripts/bench-pictures.ts")]) : true,
];
if (went.includes(false)) process.exitCode = 1;

// Installs what the benchmark compares with, unless it is there already: `node bench/setup.mjs`, Node 20 or later.

import { spawnSync } from "node:child_process";
import { statSync } from "node:fs";

const modified = (path) => statSync(new URL(path, import.meta.url), { throwIfNoEntry: false })?.mtimeMs ?? 0;

// npm writes this file last, so it tells a finished install.
if (modified("node_modules/.package-lock.json") < modified("package-lock.json")) {
  // Under `npm run` the `npm` first on PATH is an old one, a dependency of as-pect: ask for the npm that runs.
  const { npm_execpath: cli } = process.env;
  const [command, ...first] = cli ? [process.execPath, cli] : ["npm"];
  const { error, status } = spawnSync(command, [...first, "ci", "--ignore-scripts", "--no-audit", "--no-fund"], {
    cwd: new URL(".", import.meta.url),
    stdio: "inherit",
    shell: process.platform === "win32" && !cli,
  });
  if (error) throw error;
  process.exitCode = status ?? 1;
}

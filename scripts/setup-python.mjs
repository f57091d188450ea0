// For tests of the service and of the files that score writes: Python's own clients, schemathesis, datasets, TRL, in build/python. Without a Python they are skipped, in
// words; where CI is set that is a failure.

import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const wanted = fileURLToPath(new URL("../test/service/requirements.txt", import.meta.url));
const folder = fileURLToPath(new URL("../build/python", import.meta.url));
const mark = `${folder}/installed.txt`;

const run = (command, args) => spawnSync(command, args, { stdio: ["ignore", "ignore", "inherit"] }).status === 0;

const text = readFileSync(wanted, "utf8");
const trl = "trl==1.16.0";
if (!existsSync(mark) || readFileSync(mark, "utf8") !== text + trl) {
  console.log("Installing Python's clients in build/python (once) …");
  const pip = (...what) =>
    run(`${folder}/bin/python`, ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", ...what]);
  // TRL is read, not run: PyTorch would be gigabytes.
  if (run("python3", ["-m", "venv", folder]) && pip("-r", wanted) && pip("--no-deps", trl))
    writeFileSync(mark, text + trl);
  else console.log("No Python with venv, or no packages: tests that need them are skipped.");
}

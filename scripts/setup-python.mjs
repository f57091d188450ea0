// For tests of the service alone: Python's own clients, and schemathesis, in build/python. Without a Python they are skipped, in
// words; where CI is set that is a failure.

import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const wanted = fileURLToPath(new URL("../test/service/requirements.txt", import.meta.url));
const folder = fileURLToPath(new URL("../build/python", import.meta.url));
const mark = `${folder}/installed.txt`;

const run = (command, args) => spawnSync(command, args, { stdio: ["ignore", "ignore", "inherit"] }).status === 0;

const text = readFileSync(wanted, "utf8");
if (!existsSync(mark) || readFileSync(mark, "utf8") !== text) {
  console.log("Installing Python's clients in build/python (once) …");
  const pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", wanted];
  if (run("python3", ["-m", "venv", folder]) && run(`${folder}/bin/python`, pip)) writeFileSync(mark, text);
  else console.log("No Python with venv, or no packages: tests that need them are skipped.");
}

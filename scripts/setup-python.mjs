// For tests: Python's own clients of the service, schemathesis, datasets and TRL in build/python; PEFT, over Debian's PyTorch (PyPI's
// brings gigabytes for GPUs), in build/python-peft. What cannot be installed is said, and its tests are skipped, in words; where CI is
// set that is a failure. With --torch, for the benchmark, also PyPI's PyTorch in build/python-torch.

import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const pathOf = (place) => fileURLToPath(new URL(`../${place}`, import.meta.url));

const run = (command, args, stderr = "inherit") =>
  spawnSync(command, args, { stdio: ["ignore", "ignore", stderr] }).status === 0;

/** Makes a folder with the packages of a list, once; again when the list has changed. `alone` come without what they need. */
function install(what, { place, list, python, options = [], alone = [] }) {
  const [folder, wanted] = [pathOf(place), pathOf(list)];
  const mark = `${folder}/installed.txt`;
  const text = readFileSync(wanted, "utf8") + alone.join();
  if (existsSync(mark) && readFileSync(mark, "utf8") === text) return;
  console.log(`Installing ${what} in ${place} (once) …`);
  const pip = (...packages) =>
    run(`${folder}/bin/python`, ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", ...packages]);
  const made = run(python, ["-m", "venv", ...options, folder]) && pip("-r", wanted);
  if (made && (alone.length === 0 || pip("--no-deps", ...alone))) writeFileSync(mark, text);
  else console.log("No Python with venv, or no packages: tests that need them are skipped.");
}

install("Python's clients", {
  place: "build/python",
  list: "test/service/requirements.txt",
  python: "python3",
  // TRL is read, not run: PyTorch would be gigabytes.
  alone: ["trl==1.16.0"],
});

const debian = "/usr/bin/python3";
if (run(debian, ["-c", "import torch"], "ignore")) {
  const list = "test/golden/peft/requirements.txt";
  install("PEFT", { place: "build/python-peft", list, python: debian, options: ["--system-site-packages"] });
} else console.log("No python3-torch of Debian: what PEFT is to load is not tried.");

// Six gigabytes, most of them for GPUs: only on demand. Without it the yardsticks are measured over Debian's PyTorch 1.13.
if (process.argv.includes("--torch")) {
  install("PyTorch and TRL", { place: "build/python-torch", list: "bench/python/requirements.txt", python: "python3" });
}

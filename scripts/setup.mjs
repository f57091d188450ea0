// Set-up for `npm start` and `npm test` on a fresh machine: installs the exact dependencies, including the pinned Node, if they
// are missing or older than the lock file. Must run on Node 20, which may be all that such a machine has.

import { spawn } from "node:child_process";
import { statSync } from "node:fs";
import { fileURLToPath } from "node:url";

const modified = (file, folder) => statSync(new URL(file, folder), { throwIfNoEntry: false })?.mtimeMs ?? 0;

function install(folder) {
  // npm writes the second file last, so it marks a finished install.
  if (modified("package-lock.json", folder) <= modified("node_modules/.package-lock.json", folder)) return;
  console.log(`Installing dependencies in ${fileURLToPath(folder)} (once; a minute or two) …`);
  // The npm that runs this script, if one does.
  const npm = process.env.npm_execpath;
  const args = ["ci", "--no-audit", "--no-fund", "--loglevel=error"];
  const options = { cwd: fileURLToPath(folder), stdio: "inherit" };
  const child = npm
    ? spawn(process.execPath, [npm, ...args], options)
    : spawn("npm", args, { ...options, shell: process.platform === "win32" });
  child.on("error", (error) => console.error(error.message));
  child.on("close", (status) => {
    if (status !== 0) process.exitCode = status ?? 1;
  });
}

// `node scripts/setup.mjs bench` sets up that folder too, at the same time: most of it is waiting for the registry.
for (const folder of ["", ...process.argv.slice(2)]) install(new URL(`../${folder && `${folder}/`}`, import.meta.url));

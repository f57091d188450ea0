// Makes dist/: the bundles, their types, and the two modules as files.

import { execFileSync } from "node:child_process";
import { copyFileSync, existsSync, globSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { inflateSync } from "node:zlib";
import { deflated as plain } from "../src/kernels/kernels.gen.ts";
import { deflated as relaxed } from "../src/kernels/kernels-relaxed.gen.ts";
import { shortLines } from "./short-lines.ts";

const root = new URL("../", import.meta.url);
const tsdown = fileURLToPath(new URL("node_modules/tsdown/dist/run.mjs", root));
const quiet = process.argv.includes("--quiet") ? ["--log-level", "warn"] : [];
execFileSync(process.execPath, [tsdown, ...quiet], { cwd: fileURLToPath(root), stdio: "inherit" });

for (const name of globSync("dist/*.js", { cwd: fileURLToPath(root) })) {
  const [file, mapFile] = [new URL(name, root), new URL(`${name}.map`, root)];
  const map = existsSync(mapFile) ? JSON.parse(readFileSync(mapFile, "utf8")) : undefined;
  const short = shortLines(readFileSync(file, "utf8"), map);
  writeFileSync(file, short.code);
  if (map) writeFileSync(mapFile, JSON.stringify(short.map));
}

// A module that a bundler or a runtime makes of the file; a plain object where no library that TypeScript is given knows the class.
const moduleType = `type Module = typeof globalThis extends { WebAssembly: { Module: { prototype: infer M } } } ? M : object;
declare const module: Module;
export default module;
`;

// The same modules that are embedded in the bundles.
for (const [name, deflated] of Object.entries({ "kernels.wasm": plain, "kernels-relaxed.wasm": relaxed })) {
  writeFileSync(new URL(`dist/${name}`, root), inflateSync(Buffer.from(deflated, "base64")));
  writeFileSync(new URL(`dist/${name}.d.ts`, root), moduleType);
}

// The page of the benchmark stands beside its script.
for (const name of ["bench.html", "bench.css"])
  copyFileSync(new URL(`src/bench/page/${name}`, root), new URL(`dist/${name}`, root));

// Makes dist/: the bundles, their types, and the two modules as files.

import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { inflateRawSync } from "node:zlib";
import { deflated as plain } from "../src/kernels/kernels.gen.ts";
import { deflated as relaxed } from "../src/kernels/kernels-relaxed.gen.ts";

const root = new URL("../", import.meta.url);
const tsdown = fileURLToPath(new URL("node_modules/tsdown/dist/run.mjs", root));
const quiet = process.argv.includes("--quiet") ? ["--log-level", "warn"] : [];
execFileSync(process.execPath, [tsdown, ...quiet], { cwd: fileURLToPath(root), stdio: "inherit" });

// The same modules that are embedded in the bundles.
for (const [name, deflated] of Object.entries({ "kernels.wasm": plain, "kernels-relaxed.wasm": relaxed })) {
  writeFileSync(new URL(`dist/${name}`, root), inflateRawSync(Buffer.from(deflated, "base64")));
}

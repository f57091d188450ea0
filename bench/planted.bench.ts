// Whether `bench --compare` finds what it should: ten comparisons of the build in dist/ with itself, then one with a copy whose kernel of
// the sigmoid loss has a loop added. `node bench/planted.bench.ts`, after a build; a few minutes, the fewer the quieter the machine.

import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Comparison } from "../src/bench.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "dpo-kernels-planted-"));
const CASES = ["pairs/sigmoid/65536", "rows/kto/65536", "logits/both/16x32000"];

try {
  const planted = plant();
  const itself = Array.from({ length: 10 }, (_, k) => changed(compare(join(root, "dist"), join(root, "dist"), k + 1)));
  console.log(`with itself, 10 times: ${itself.flat().length} found`);
  for (const text of itself.flat()) console.log(`  ${text}`);
  console.log("with a loop added to pairs/sigmoid:");
  for (const text of changed(compare(join(root, "dist"), planted, 1))) console.log(`  ${text}`);
} finally {
  rmSync(folder, { recursive: true });
}

function compare(before: string, after: string, seed: number): Comparison {
  const args = ["--compare", before, after, "--quick", "--seed", String(seed), "--format", "json", "--cases", ...CASES];
  const cli = join(root, "src/cli/main.ts");
  return JSON.parse(execFileSync(process.execPath, [cli, "bench", ...args], { encoding: "utf8" }));
}

function changed({ changes }: Comparison): string[] {
  return changes
    .filter(({ verdict }) => verdict === "slower" || verdict === "faster")
    .map(({ lower, upper, ratio, verdict, candidate, arrays, case: name }) => {
      const interval = `${lower.toFixed(3)}–${upper.toFixed(3)}`;
      return `${name} ${candidate} ${arrays}: ${verdict}, ${ratio.toFixed(3)} (${interval})`;
    });
}

/** A build whose modules come from a copy of assembly/ that does half of the exponentials of the sigmoid loss twice. */
function plant(): string {
  const copy = join(folder, "source");
  mkdirSync(copy);
  for (const name of ["assembly", "asconfig.json"]) cpSync(join(root, name), join(copy, name), { recursive: true });
  symlinkSync(join(root, "node_modules"), join(copy, "node_modules"));
  const file = join(copy, "assembly/losses.gen.ts");
  const source = readFileSync(file, "utf8");
  const start = source.indexOf("pair_sigmoid_f32(");
  const [pass = ""] =
    /^ {4}for \(let i: usize = block; i < stop; i \+= 16\) \{[^}]*exp_neg_abs_x4[^}]*\}\n/m.exec(source.slice(start)) ??
    [];
  if (pass === "")
    throw new Error("assembly/losses.gen.ts: expected the pass of the exponentials of the sigmoid loss, got none");
  const half = pass.replace("i < stop", "i < block + (((stop - block) >> 5) << 4)");
  writeFileSync(file, source.slice(0, start) + source.slice(start).replace(pass, half + pass));
  const asc = join(root, "node_modules/assemblyscript/bin/asc.js");
  mkdirSync(join(copy, "build"));
  for (const target of ["simd", "relaxed"]) {
    execFileSync(process.execPath, [asc, "assembly/index.ts", "--target", target], { cwd: copy });
  }
  const build = join(folder, "planted");
  // Not in dist/, whose entry would be taken for the build's.
  cpSync(join(root, "dist"), join(build, "built"), { recursive: true });
  const module = (name: string): string => JSON.stringify(readFileSync(join(copy, "build", name)).toString("base64"));
  const entry = `import { createWasm as create } from "./built/index.js";
export * from "./built/index.js";
const compile = (text) => WebAssembly.compile(Uint8Array.from(atob(text), (c) => c.charCodeAt(0)));
const [plain, relaxed] = await Promise.all([compile(${module("kernels.wasm")}), compile(${module("kernels-relaxed.wasm")})]);
export const createWasm = (options) => create({ ...options, module: options.relaxed ? relaxed : plain });
`;
  writeFileSync(join(build, "index.js"), entry);
  return build;
}

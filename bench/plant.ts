// Builds of the package with a slow-down planted in one kernel, for comparisons that should find it.

import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));

export interface Plant {
  /** The case that runs the kernel. */
  readonly case: string;
  readonly file: string;
  /** Within the function that begins with this, `from` becomes `to`: part of the work is done twice, and no result changes. */
  readonly within: string;
  readonly from: string | RegExp;
  readonly to: (found: string) => string;
  /** A declaration that `to` needs, at the end of the file. */
  readonly more?: string;
}

// Shares that make a call 1.15 times as long, as near as they come. measured, best of 150 rounds of processor time, relaxed / plain:
// pairs 1.14 / 1.15, logits 1.14 / 1.17, a head between 1.11 (five sixteenths twice) and 1.19 (six).
export const plants: readonly Plant[] = [
  {
    case: "pairs/sigmoid/65536",
    file: "losses.gen.ts",
    within: "export function pair_sigmoid_unsmoothed_f32(",
    from: /^ {4}for \(let i: usize = block; i < stop; i \+= 32\) \{[^}]*exp_neg_abs_x4[^}]*\}\n/m,
    to: (pass) => pass.replace("i < stop", "i < block + (((stop - block) * 2 / 5) & ~31)") + pass,
  },
  {
    case: "logits/both/16x32000",
    file: "logprob.ts",
    within: "function add_block(",
    from: "else add_exp(x, n, max, state);",
    to: (call) => `else {\n    add_exp(x, ((n * 9) / 20) & ~15, max, PLANTED);\n    ${call.slice("else ".length)}\n  }`,
    more: "const PLANTED = memory.data<f64>([0, 0, 0, 0, 0]);\n",
  },
  {
    case: "linear/both/16x64x2048",
    file: "gemm.ts",
    within: "export function gemm_f32(",
    from: "tile(a + ((i * k) << 2), b, c + i * row, k, row, add);",
    to: (call) => `{\n      tile(a + ((i * k) << 2), b, PLANTED, (k * 11) >> 5, 32, false);\n      ${call}\n    }`,
    more: "const PLANTED = memory.data(256, 16);\n",
  },
];

/** The build in dist/ with other modules: a folder that `bench --compare` takes. Throws    Error where the source has changed too much */
export function plant({ file, within, from, to, more = "" }: Plant, folder: string): string {
  const copy = join(folder, "source");
  mkdirSync(copy, { recursive: true });
  for (const name of ["assembly", "asconfig.json"]) cpSync(join(root, name), join(copy, name), { recursive: true });
  symlinkSync(join(root, "node_modules"), join(copy, "node_modules"));
  const path = join(copy, "assembly", file);
  const source = readFileSync(path, "utf8");
  const start = source.indexOf(within);
  const [before, after] = [source.slice(0, start), source.slice(start)];
  const planted = after.replace(from, to);
  if (start < 0 || planted === after) {
    throw new Error(`assembly/${file}: expected ${within}…, and in it ${from}, got neither or one`);
  }
  writeFileSync(path, before + planted + more);
  mkdirSync(join(copy, "build"));
  const asc = join(root, "node_modules/assemblyscript/bin/asc.js");
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

// The blocks of README.md and docs/ as modules: each runs as it stands, in a file of its own that Node imports itself. Nothing is there
// but what it imports; `dpo-kernels` is this package's source.

import { readFileSync } from "node:fs";
import { registerHooks } from "node:module";

const sources: Record<string, string> = {
  "": "index.ts",
  "/js": "js.ts",
  "/train": "train.ts",
  "/pool": "pool.ts",
  "/service": "service.ts",
  "/text": "text.ts",
  "/diagnose": "diagnose.ts",
  "/bench": "bench.ts",
  "/webgpu": "webgpu.ts",
  "/onnxruntime": "adapters/onnxruntime.ts",
  "/tfjs": "adapters/tfjs.ts",
  "/jax": "adapters/jax.ts",
};

/** The source of an entry: `/train`, or nothing for the main one. */
export const sourceOf = (entry: string): string => new URL(`../../src/${sources[entry]}`, import.meta.url).href;

/** What a page says that has blocks without an import. */
export const goesOn = "A block without an import goes on from those above it.";

export const blocksOf = (page: string): string[] =>
  [...readFileSync(page, "utf8").matchAll(/```(?:js|ts)\n([\s\S]*?)```/g)].map(([, code = ""]) => code);

/** The page's blocks, as many to a file as go on from one another: with which numbers, and what stands in it. */
export function filesOf(page: string): (readonly [blocks: string, code: string])[] {
  const files: { numbers: number[]; code: string }[] = [];
  for (const [i, code] of blocksOf(page).entries()) {
    const last = files.at(-1);
    if (last === undefined || /^import /m.test(code)) files.push({ numbers: [i + 1], code });
    else {
      last.numbers.push(i + 1);
      last.code += code;
    }
  }
  return files.map(({ numbers, code }) => [numbers.join(", "), code] as const);
}

const scheme = "page:";
const codes = new Map<string, string>();
const standIns = new Map<string, string>();

/** Pages that import `library` get the module at `url`, for what would have to be fetched. */
export const standIn = (library: string, url: string): void => void standIns.set(library, url);

registerHooks({
  resolve(specifier, context, next) {
    if (specifier.startsWith(scheme)) return { url: specifier, shortCircuit: true };
    if (!context.parentURL?.startsWith(scheme)) return next(specifier, context);
    const entry = /^dpo-kernels(\/\w+)?$/.exec(specifier);
    const target = entry === null ? (standIns.get(specifier) ?? specifier) : sourceOf(entry[1] ?? "");
    return next(target, { ...context, parentURL: import.meta.url });
  },
  load(url, context, next) {
    const source = codes.get(url);
    return source === undefined ? next(url, context) : { format: "module-typescript", source, shortCircuit: true };
  },
});

// Node's own import, past the test runner's.
const importer = "data:text/javascript,export default (url) => import(url)";

/** Runs a file of blocks and gives what it exports. */
export async function runFile(name: string, code: string): Promise<Record<string, unknown>> {
  const url = `${scheme}${name.replaceAll(" ", "")}/${codes.size}`;
  codes.set(url, code);
  const own: { default: (url: string) => Promise<Record<string, unknown>> } = await import(importer);
  return own.default(url);
}

const words = (text: string): string[] => text.match(/-?\w+(?:\.\d+)?…?/g) ?? [];

/** Whether what was printed is what the comment beside the call says, quotes and spaces aside; `…` stands for further digits. */
export function says(comment: string, printed: readonly unknown[]): boolean {
  const said = words(comment);
  const asLists = (_key: string, value: unknown): unknown =>
    ArrayBuffer.isView(value) ? Array.from(value as Float32Array) : value;
  return words(JSON.stringify(printed, asLists)).every((word, i) => {
    const [start = "", more] = (said[i] ?? "").split("…");
    return more === undefined ? word === start : word.startsWith(start);
  });
}

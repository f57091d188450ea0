// PyTorch, and TRL's chunked head over it, as candidates of the benchmark: native yardsticks, one thread. Python runs in a process of its
// own, one for each case, and times itself; its start, and the files that carry arrays, are in no time.

import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { Inputs } from "../../src/bench/inputs.ts";
import type { Candidate, Opened, Problem, Skipped } from "../../src/bench/types.ts";

const pathOf = (place: string) => fileURLToPath(new URL(place, import.meta.url));

/** `scripts/setup-python.mjs --torch`'s; Debian's before another that does not see its python3-torch. */
const pythons = [pathOf("../../build/python-torch/bin/python"), "/usr/bin/python3", "python3"];
/** Where TRL is, for a Python that has it not: only read (scripts/setup-python.mjs). */
const trl = pathOf("../../build/python/bin/python");

const names = ["torch", "trl"] as const;
type Name = (typeof names)[number];

/** What the script says of itself. */
interface Hello {
  readonly forms: readonly string[];
  readonly missing: Readonly<Record<string, string>>;
}

/** Both, or why not. `BENCH_PYTHON` names another Python. */
export function createYardsticks(): (Candidate | Skipped)[] {
  const given = process.env["BENCH_PYTHON"];
  const python = (given ? [given] : pythons).find((name) => spawnSync(name, ["-c", "import torch"]).status === 0);
  if (python === undefined) {
    const why = "no Python here has PyTorch: Debian's python3-torch, or node scripts/setup-python.mjs --torch";
    return names.map((candidate) => ({ candidate, why }));
  }
  const env = environment();
  const code = `
import os, sys, torch
from importlib import metadata
sys.path += filter(None, [os.environ.get("BENCH_TRL")])
print(torch.__version__)
print(metadata.version("trl"))`;
  const [torch = "", trl = ""] = spawnSync(python, ["-c", code], { encoding: "utf8", env }).stdout.trim().split("\n");
  const versions: Readonly<Record<Name, string>> = { torch, trl: trl && `${trl} over torch ${torch}` };
  return names.map((name) => {
    const version = versions[name];
    if (!version) return { candidate: name, why: "TRL is not installed: node scripts/setup-python.mjs" };
    return {
      name,
      ours: false,
      arrays: "fresh",
      version,
      open: async ({ group }, problem) => (group === "pool" ? undefined : open(python, env, name, problem)),
    };
  });
}

/** TRL is pure Python: where a Python with PyTorch has it not, that of the tests has it. */
function environment(): NodeJS.ProcessEnv {
  const code = "import sysconfig; print(sysconfig.get_path('purelib'))";
  const folder = existsSync(trl) ? spawnSync(trl, ["-c", code], { encoding: "utf8" }).stdout.trim() : "";
  return folder ? { ...process.env, BENCH_TRL: folder } : process.env;
}

type Arrays = Readonly<Record<string, Float32Array | Int32Array | Uint8Array>>;

/** What the script needs to know, and the arrays with their shapes; undefined where it has no form of it. */
function describe(
  name: Name,
  inputs: Inputs,
): { options: object; arrays: Arrays; shapes?: Record<string, number[]> } | undefined {
  if (name === "trl" && inputs.kind !== "linear") return undefined;
  switch (inputs.kind) {
    case "pairs":
      return inputs.lossType === "sigmoid" ? { options: { beta: inputs.beta }, arrays: inputs.pairs } : undefined;
    case "rows":
      return { options: { beta: inputs.beta }, arrays: inputs.rows };
    case "logits": {
      const { pass, rows, vocab, logits, ids, g } = inputs;
      if (!(logits instanceof Float32Array)) return undefined;
      return { options: { both: pass === "both" }, arrays: { logits, ids, g }, shapes: { logits: [rows, vocab] } };
    }
    case "linear": {
      const { pass, rows, width, vocab, hidden, weight, ids, g } = inputs;
      const shapes = { hidden: [rows, width], weight: [vocab, width] };
      return { options: { both: pass === "both" }, arrays: { hidden, weight, ids, g }, shapes };
    }
    case "optimiser": {
      const { what, step, hyper, params, grads, m, v } = inputs;
      return what === "adamw" ? { options: { step, ...hyper }, arrays: { params, grads, m, v } } : undefined;
    }
    default:
      return undefined;
  }
}

const typeOf = (array: Arrays[string]) =>
  array instanceof Float32Array ? "f32" : array instanceof Int32Array ? "i32" : "u8";

async function open(
  python: string,
  env: NodeJS.ProcessEnv,
  name: Name,
  { inputs }: Problem,
): Promise<Opened | undefined> {
  const described = describe(name, inputs);
  if (!described) return undefined;
  const { options, arrays, shapes = {} } = described;
  const folder = mkdtempSync(path.join(os.tmpdir(), "dpo-kernels-bench-"));
  const types = Object.fromEntries(
    Object.entries(arrays).map(([key, array]) => [key, [typeOf(array), shapes[key] ?? [array.length]]]),
  );
  writeFileSync(path.join(folder, "case.json"), JSON.stringify({ kind: inputs.kind, options, arrays: types }));
  for (const [key, array] of Object.entries(arrays)) writeFileSync(path.join(folder, key), array);

  const script = pathOf("./yardsticks.py");
  const child = spawn(python, [script, folder], { stdio: ["pipe", "pipe", "inherit"], env });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const nextLine = async (): Promise<string> => {
    const { value, done } = await lines.next();
    if (done) throw new Error(`${name}: its process has ended`);
    return value;
  };
  const close = () => {
    child.stdin.end();
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    const { forms, missing } = JSON.parse(await nextLine()) as Hello;
    if (!forms.includes(name)) throw new Error(missing[name] ?? `${name}: no form of it`);
  } catch (error) {
    close();
    throw error;
  }
  return {
    async run() {
      child.stdin.write(`${name}\n`);
      return { elapsed: Number(await nextLine()) };
    },
    async results() {
      child.stdin.write("results\n");
      const kept = JSON.parse(await nextLine()) as string[];
      return Object.fromEntries(
        kept.map((key) => {
          const numbers = floats(path.join(folder, `out.${key}`));
          return [key, key === "loss" ? (numbers[0] as number) : numbers];
        }),
      );
    },
    close,
  };
}

function floats(file: string): Float32Array {
  const { buffer, byteOffset, byteLength } = readFileSync(file);
  return new Float32Array(buffer, byteOffset, byteLength / 4);
}

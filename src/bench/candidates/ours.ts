// The backends of this package as candidates.

import type { StartInputs } from "../inputs.ts";
import type { Candidate, Case, Group, Opened, Problem, Skipped } from "../types.ts";
import { allocated, bytesFor, ownArrays } from "./arrays.ts";
import { callOf } from "./calls.ts";
import type { Allocating, Disposable, Library } from "./library.ts";
import { openOptimiser } from "./optimiser.ts";
import { recordMemories } from "./scratch.ts";
import { type Maker, openCreate, openImport } from "./start.ts";

export interface OursOptions {
  /** Sets the names apart from those of another build: "@../dist". */
  readonly suffix?: string;
  /** Workers of the largest pool. Default: as many as the machine runs at once, or 2 where it does not say. */
  readonly workers?: number | undefined;
}

/** A backend that is measured, with arrays of its own or of the caller's. */
interface Kind {
  readonly name: string;
  readonly arrays: "allocate" | "own";
  readonly groups: readonly Group[];
  /** `reserve`: bytes for `allocate`. */
  create(reserve: number): Disposable | Promise<Disposable>;
  /** How another process makes it. */
  readonly text?: string;
}

/** Calls on one thread. */
const single = ["pairs", "rows", "logits", "linear"] as const;

/** Every backend of a build that runs here, with its own arrays and with the caller's; for the others why not. */
export async function ours(library: Library, { suffix = "", workers }: OursOptions = {}) {
  const { createWasm, createJs, createPool, createWebGpu } = library;
  const all: (Candidate | Skipped)[] = [];
  const add = (kind: Kind): void => {
    const { name, arrays } = kind;
    all.push({ name: name + suffix, ours: true, arrays, open: (work, problem) => open(library, kind, work, problem) });
  };
  /** Whether it runs here. */
  const runs = async (name: string, create: () => Promise<Disposable>): Promise<boolean> => {
    const why = await refusalOf(create);
    if (why !== undefined) all.push({ candidate: name + suffix, why });
    return why === undefined;
  };
  const modules: ("plain" | "relaxed")[] = [];
  for (const name of ["plain", "relaxed"] as const) {
    if (await runs(name, () => createWasm({ relaxed: name === "relaxed" }))) modules.push(name);
  }
  for (const name of modules) {
    const relaxed = name === "relaxed";
    // Pools are compared with the faster one; optimisers have one module.
    const pools: Group[] = name === modules.at(-1) ? ["pool"] : [];
    const groups: Group[] = [...single, "start", ...pools, ...(relaxed ? [] : ["optimiser" as const])];
    const text = `createWasm({ relaxed: ${relaxed} })`;
    const create = (reserve: number) => createWasm({ relaxed, reserve });
    for (const arrays of ["allocate", "own"] as const) add({ name, arrays, groups, create, text });
  }
  add({ name: "js", arrays: "own", groups: [...single, "start"], create: createJs, text: "createJs()" });
  if (createPool && (await runs("pool", () => createPool({ workers: 1 })))) {
    for (const count of sizes(workers)) {
      const pool = { name: `pool-${count}`, groups: ["pool" as const], create: () => createPool({ workers: count }) };
      for (const arrays of ["allocate", "own"] as const) add({ ...pool, arrays });
    }
  }
  if (createWebGpu && (await runs("webgpu", createWebGpu))) {
    add({ name: "webgpu", arrays: "own", groups: single, create: createWebGpu });
  }
  return all;
}

/** 1, 2, 4, … and as many as there are. */
function sizes(most = globalThis.navigator?.hardwareConcurrency ?? 2): number[] {
  const powers = [1, 2, 4, 8, 16, 32, 64, 128].filter((n) => n < most);
  return [...powers, most];
}

async function open(library: Library, kind: Kind, work: Case, problem: Problem): Promise<Opened | undefined> {
  const { arrays, groups } = kind;
  const { inputs } = problem;
  if (!groups.includes(work.group)) return undefined;
  if (inputs.kind === "start") return openStart(library, kind, inputs);
  const { train } = library;
  if (inputs.kind === "optimiser" && !train) return undefined;
  // A pool's are in its workers.
  const recorder = work.group === "pool" ? undefined : recordMemories();
  const reserve = arrays === "allocate" ? bytesFor(problem) : 0;
  const backend = await kind.create(reserve);
  const close = () => {
    recorder?.stop();
    return backend.dispose();
  };
  try {
    const places = arrays === "allocate" ? allocated(backend) : ownArrays;
    const opened =
      inputs.kind === "optimiser" && train
        ? openOptimiser(train, inputs, places, backend as unknown as Allocating)
        : callOf(inputs)?.(backend, inputs, places);
    if (!opened) throw new Error(`inputs: expected some that are known, got ${inputs.kind}`);
    return {
      ...opened,
      results() {
        // By now the first run has made all memories that there will be.
        recorder?.stop();
        return opened.results();
      },
      ...(recorder ? { scratch: () => Math.max(0, recorder.bytes() - reserve) } : {}),
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

function openStart({ index }: Library, kind: Kind, { what, pairs }: StartInputs): Opened | undefined {
  const { text, arrays } = kind;
  // Arrays of the backend's are made after it.
  if (text === undefined || arrays === "allocate") return undefined;
  const maker: Maker = { text, create: () => kind.create(0) };
  if (what === "create") return openCreate(maker, pairs);
  return index === undefined ? undefined : openImport(maker, pairs, index);
}

/** Why a backend does not start; undefined where it does. */
async function refusalOf(create: () => Promise<Disposable>): Promise<string | undefined> {
  try {
    await (await create()).dispose();
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

// The backends of this package as candidates.

import type { Candidate, Problem, Skipped } from "../types.ts";
import { allocated, bytesFor, ownArrays } from "./arrays.ts";
import { callOf } from "./calls.ts";
import type { AnyBackend, Library } from "./library.ts";

type Disposable = AnyBackend & { dispose(): void | Promise<void> };
type Create = (problem: Problem, arrays: Candidate["arrays"]) => Disposable | Promise<Disposable>;

/**
 * Every backend of a build that runs here, with its own arrays and with the caller's. `suffix` sets its names apart from those of another
 * build: "@../dist".
 */
export async function ours(library: Library, suffix = ""): Promise<(Candidate | Skipped)[]> {
  const { createWasm, createJs } = library;
  const wasm =
    (relaxed: boolean): Create =>
    (problem, arrays) =>
      createWasm({ relaxed, reserve: arrays === "allocate" ? bytesFor(problem) : 0 });
  const candidate = (name: string, arrays: Candidate["arrays"], create: Create): Candidate => ({
    name: name + suffix,
    ours: true,
    arrays,
    open: (_work, problem) => open(problem, arrays, create),
  });
  const all: (Candidate | Skipped)[] = [];
  for (const relaxed of [false, true]) {
    const name = relaxed ? "relaxed" : "plain";
    const why = await refusalOf(() => createWasm({ relaxed }));
    if (why) all.push({ candidate: name + suffix, why });
    else for (const arrays of ["allocate", "own"] as const) all.push(candidate(name, arrays, wasm(relaxed)));
  }
  all.push(candidate("js", "own", createJs));
  return all;
}

async function open(problem: Problem, arrays: Candidate["arrays"], create: Create) {
  const call = callOf(problem.inputs);
  if (!call) return undefined;
  const backend = await create(problem, arrays);
  try {
    const opened = call(backend, problem.inputs, arrays === "allocate" ? allocated(backend) : ownArrays);
    return { ...opened, close: () => backend.dispose() };
  } catch (error) {
    await backend.dispose();
    throw error;
  }
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

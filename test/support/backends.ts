// The list of backends that every case runs on.

import { describe } from "vitest";
import { createJs, createWasm } from "../../src/index.ts";
import type { Backend } from "../../src/types.ts";
import { hasRelaxedSimd, hasSimd } from "../../src/wasm/load.ts";

export interface Candidate {
  name: string;
  create: () => Promise<Backend>;
  /** Why it cannot run here; the tests are then skipped visibly. */
  missing?: string | undefined;
}

/** Bytes for `allocate` in each of the WebAssembly backends. */
export const RESERVE = 1 << 22;

const noSimd = hasSimd() ? undefined : "this engine has no WebAssembly SIMD";
const noRelaxed = hasRelaxedSimd() ? noSimd : "this engine has no relaxed SIMD";

export const backends: readonly Candidate[] = [
  { name: "js", create: async () => createJs() },
  { name: "wasm", create: () => createWasm({ relaxed: false, reserve: RESERVE }), missing: noSimd },
  { name: "wasm relaxed", create: () => createWasm({ relaxed: true, reserve: RESERVE }), missing: noRelaxed },
];

const ready = await Promise.all(
  backends.map(async ({ name, create, missing }) => ({ name, missing, backend: missing ? undefined : await create() })),
);

type Tests = (backend: Backend, name: string) => void;

function onEach(candidates: typeof ready, tests: Tests): void {
  for (const { name, missing, backend } of candidates) {
    const title = missing ? `${name} (skipped: ${missing})` : name;
    describe.skipIf(missing !== undefined)(title, () => tests(backend as Backend, name));
  }
}

/** The same tests on every backend; where one cannot run they show as skipped, with the reason in the name. */
export const onEachBackend = (tests: Tests): void => onEach(ready, tests);

/** As `onEachBackend`, for what the WebAssembly backends alone have. */
export const onEachWasm = (tests: Tests): void =>
  onEach(
    ready.filter(({ name }) => name !== "js"),
    tests,
  );

// The list of backends that every case runs on. `await` works on all of them: those of this thread return at once.

import { afterAll, describe, expect, it, vi } from "vitest";
import { createJs, createWasm } from "../../src/index.ts";
import { breakEven } from "../../src/pool/break-even.ts";
import { createPool } from "../../src/pool.ts";
import type { AsyncBackend, Backend } from "../../src/types.ts";
import { hasRelaxedSimd, hasSimd } from "../../src/wasm/load.ts";
import { createWebGpu } from "../../src/webgpu.ts";
import { adapterOfDawn, missing as noGpu } from "./dawn.ts";
import { overSharedArrays } from "./shared-arrays.ts";

export type AnyBackend = Backend | AsyncBackend;

export interface Candidate<B extends AnyBackend = AnyBackend> {
  name: string;
  create: () => Promise<B>;
  /** Why it cannot run here; the tests are then skipped visibly. */
  missing?: string | undefined;
}

/** Bytes for `allocate` in each of the WebAssembly backends. */
export const RESERVE = 1 << 22;

const noSimd = hasSimd() ? undefined : "this engine has no WebAssembly SIMD";
const noRelaxed = hasRelaxedSimd() ? noSimd : "this engine has no relaxed SIMD";

const localWasms: readonly Candidate<Backend>[] = [
  { name: "wasm", create: () => createWasm({ relaxed: false, reserve: RESERVE }), missing: noSimd },
  { name: "wasm relaxed", create: () => createWasm({ relaxed: true, reserve: RESERVE }), missing: noRelaxed },
];

/** Those of this thread. */
export const localBackends: readonly Candidate<Backend>[] = [
  { name: "js", create: async () => createJs() },
  ...localWasms,
];

// The tests' batches are small: the calling thread would compute them itself.
Object.assign(breakEven, { logits: 0, products: 0, sharedPairs: 1, sortedPairs: 1 });

const poolOf = (memory: "shared" | "transfer") => createPool({ workers: 2, memory, relaxed: false });

export const pools: readonly Candidate<AsyncBackend>[] = [
  { name: "pool, transfer", create: () => poolOf("transfer"), missing: noSimd },
  { name: "pool, shared", create: () => poolOf("shared"), missing: noSimd },
  { name: "pool, shared arrays", create: async () => overSharedArrays(await poolOf("shared")), missing: noSimd },
];

const webGpu: Candidate<AsyncBackend> = {
  name: "webgpu",
  create: async () => createWebGpu({ adapter: await adapterOfDawn() }),
  missing: noGpu,
};
// A software driver takes its time to compile shaders, and at every barrier.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });
if (noGpu && process.env["CI"]) it("webgpu is tested where CI is set", () => expect.fail(noGpu));

export const backends: readonly Candidate[] = [...localBackends, ...pools, webGpu];

const made = new Map<Candidate, AnyBackend>();
await Promise.all(
  backends.map(async (candidate) => {
    if (!candidate.missing) made.set(candidate, await candidate.create());
  }),
);
afterAll(() => Promise.all([...made.values()].map((backend) => backend.dispose())));

function onEach<B extends AnyBackend>(
  candidates: readonly Candidate<B>[],
  tests: (backend: B, name: string) => void,
): void {
  for (const candidate of candidates) {
    const { name, missing } = candidate;
    const title = missing ? `${name} (skipped: ${missing})` : name;
    describe.skipIf(missing !== undefined)(title, () => tests(made.get(candidate) as B, name));
  }
}

/** The same tests on every backend; where one cannot run they show as skipped, with the reason in the name. */
export const onEachBackend = (tests: (backend: AnyBackend, name: string) => void): void => onEach(backends, tests);

/** As `onEachBackend`, for those that have kernels, and memory to `allocate` in. */
export const onEachWasm = (tests: (backend: AnyBackend, name: string) => void): void =>
  onEach([...localWasms, ...pools], tests);

/** As `onEachBackend`, for what needs results at once. */
export const onEachLocal = (tests: (backend: Backend, name: string) => void): void => onEach(localBackends, tests);

/** As `onEachBackend`, for memory that is reserved once. */
export const onEachLocalWasm = (tests: (backend: Backend, name: string) => void): void => onEach(localWasms, tests);

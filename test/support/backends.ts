// The list of backends that every case runs on. `await` works on all of them: those of this thread return at once.

import { afterAll, describe, vi } from "vitest";
import type { Backend } from "../../src/types.ts";
import type { AnyBackend, Candidate } from "./candidate.ts";
import { localBackends, localWasms, pools, webGpu } from "./candidates.ts";

export { localBackends, RESERVE } from "./candidates.ts";

// A software driver takes its time to compile shaders, and at every barrier.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

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

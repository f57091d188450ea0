// The backends that there are in Node. In other runtimes test/runtimes/common/candidates.ts stands in for this list.

import { expect, it } from "vitest";
import { breakEven } from "../../src/backends/pool/break-even.ts";
import { createJs, createWasm } from "../../src/index.ts";
import { hasRelaxedSimd, hasSimd } from "../../src/kernels/features.ts";
import { createPool } from "../../src/pool.ts";
import type { AsyncBackend, Backend } from "../../src/types.ts";
import { createWebGpu } from "../../src/webgpu.ts";
import type { Candidate } from "./candidate.ts";
import { adapterOfDawn, missing as noGpu } from "./dawn.ts";
import { overSharedArrays } from "./shared-arrays.ts";

/** Bytes for `allocate` in each of the WebAssembly backends. */
export const RESERVE = 1 << 22;

const noSimd = hasSimd() ? undefined : "this engine has no WebAssembly SIMD";
const noRelaxed = hasRelaxedSimd() ? noSimd : "this engine has no relaxed SIMD";

export const localWasms: readonly Candidate<Backend>[] = [
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

export const webGpu: Candidate<AsyncBackend> = {
  name: "webgpu",
  create: async () => createWebGpu({ adapter: await adapterOfDawn() }),
  missing: noGpu,
};
if (noGpu && process.env["CI"]) it("webgpu is tested where CI is set", () => expect.fail(noGpu));

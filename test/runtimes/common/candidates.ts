// In place of test/support/candidates.ts where the engine has a `navigator.gpu` of its own: WebGPU is what is tested there.

import type { AsyncBackend, Backend } from "../../../src/types.ts";
import { createWebGpu } from "../../../src/webgpu.ts";
import type { Candidate } from "../../support/candidate.ts";

/** Nothing is reserved. */
export const RESERVE = 0;
export const localWasms: readonly Candidate<Backend>[] = [];
export const localBackends: readonly Candidate<Backend>[] = [];
export const pools: readonly Candidate<AsyncBackend>[] = [];
export const webGpu: Candidate<AsyncBackend> = { name: "webgpu", create: () => createWebGpu() };

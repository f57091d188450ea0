// Which backend is the best one here, where nothing is known of the place beforehand.

import { type CreateBackend, createBackendWith, type Elsewhere } from "./choose.ts";
import { createWasm } from "./wasm/built-in.ts";

// A GPU has nothing to do with modules and memory of this thread.
const onGpu: Elsewhere = async (options) => {
  if (!("gpu" in (globalThis.navigator ?? {})) || Object.values(options).some((value) => value !== undefined)) return;
  const { createWebGpu, hasRealGpu } = await import("../webgpu.ts");
  return (await hasRealGpu()) ? createWebGpu() : undefined;
};

// What is reserved is memory of this thread.
const onPool: Elsewhere = async ({ module, relaxed, reserve }) => {
  if (reserve) return;
  const { createPoolIfFaster } = await import("./pool/pool.ts");
  return createPoolIfFaster({ module, relaxed });
};

export const createBackend: CreateBackend = /* @__PURE__ */ createBackendWith(createWasm, [onGpu, onPool]);

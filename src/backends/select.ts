// Which backend is the best one here, where nothing is known of the place beforehand.

import { type CreateBackend, createBackendWith, type Elsewhere } from "./choose.ts";
import { createWasm } from "./wasm/create.ts";

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

/**
 * The best backend for the work here. For pairs: SIMD in this thread, whose calls return at once. For logits and hidden states:
 * WebGPU where there is a real GPU, else a pool of workers where the machine runs several; their calls are promises, so always
 * `await` them. Plain JavaScript where WebAssembly may not be compiled. `name` and `reason` say which one it is and why.
 *
 * Throws    ParamError if `for` is not a kind of work
 * @example  const backend = await createBackend({ for: "pairs" });
 *           console.log(backend.name, backend.reason);
 */
export const createBackend: CreateBackend = /* @__PURE__ */ createBackendWith(createWasm, [onGpu, onPool]);

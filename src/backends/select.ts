// createBackend of the main entry, which carries nothing of it until it is called.

import type { CreateBackend } from "./choose.ts";

/**
 * The best backend for the work here. For pairs: SIMD in this thread, whose calls return at once. For logits and hidden states:
 * WebGPU where there is a real GPU, else a pool of workers where the machine runs several; their calls are promises, so always
 * `await` them. Plain JavaScript where WebAssembly may not be compiled. `name` and `reason` say which one it is and why.
 *
 * Throws    ParamError if `for` is not a kind of work
 * @example  import { createBackend } from "dpo-kernels";
 *           const backend = await createBackend({ for: "pairs" });
 *           console.log(backend.name, backend.reason);
 */
export const createBackend = (async (options = {}) =>
  (await import("./best.ts")).createBackend(options)) as CreateBackend;

// createWasm of the main entry, which carries nothing of it until it is called.

import type { CreateWasm } from "./factory.ts";

/**
 * A backend on WebAssembly SIMD in this thread: calls return at once.
 *
 * Throws    BackendError if this place cannot compile the module; ParamError if `reserve` is out of range; KindError
 * @example  import { createWasm } from "dpo-kernels";
 *           const wasm = await createWasm();
 *           const pairs = { policyChosen: Float32Array.of(-12.1), policyRejected: Float32Array.of(-14.8) };
 *           const { loss, gradChosen, gradRejected } = wasm.pairLoss(pairs, { beta: 0.1, referenceFree: true });
 */
export const createWasm: CreateWasm = async (options) => (await import("./built-in.ts")).createWasm(options);

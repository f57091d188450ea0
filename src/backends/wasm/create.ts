// createWasm of the main entry, which carries nothing of it until it is called.

import type { CreateWasm } from "./factory.ts";

/**
 * A backend on WebAssembly SIMD in this thread: calls return at once.
 *
 * Throws    BackendError if this place cannot compile the module; ParamError if `reserve` is out of range; KindError
 * @example  const wasm = await createWasm();
 *           const { loss, gradChosen, gradRejected } = wasm.pairLoss(pairs, { lossType: "sigmoid", beta: 0.1 });
 */
export const createWasm: CreateWasm = async (options) => (await import("./built-in.ts")).createWasm(options);

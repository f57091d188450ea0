// The factory of the SIMD backend, with the modules built into the package.

import { type CreateWasm, createWasmWith } from "./factory.ts";

/**
 * A backend on WebAssembly SIMD in this thread: calls return at once.
 *
 * Throws    BackendError if this place cannot compile the module; ParamError if `reserve` is out of range; KindError
 * @example  const wasm = await createWasm();
 *           const { loss, gradChosen, gradRejected } = wasm.pairLoss(pairs, { lossType: "sigmoid", beta: 0.1 });
 */
export const createWasm: CreateWasm = /* @__PURE__ */ createWasmWith(async (options) => {
  const { findModule } = await import("../../kernels/modules.ts");
  return findModule(options);
});

// The factory of the SIMD backend, with the modules built into the package.

import { findModule } from "../../kernels/modules.ts";
import { type CreateWasm, createWasmWith } from "./factory.ts";
import { wasmBackend } from "./wasm.ts";

export const createWasm: CreateWasm = /* @__PURE__ */ createWasmWith(findModule, () => wasmBackend);

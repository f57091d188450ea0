// dpo-kernels: preference-tuning losses and their gradients, with TRL's numbers, wherever JavaScript runs.

export { type BackendOptions, createBackend } from "./backend/select.ts";
export { createWasm, type WasmOptions } from "./backend/wasm.ts";
export * from "./js.ts";

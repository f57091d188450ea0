// dpo-kernels: preference-tuning losses and their gradients, with TRL's numbers, wherever JavaScript runs.

export { createWasm, type WasmOptions } from "./backend/create-wasm.ts";
export { type BackendOptions, createBackend } from "./backend/select.ts";
export * from "./js.ts";

// dpo-kernels: preference-tuning losses and their gradients, with TRL's numbers, wherever JavaScript runs.

export { type BackendOptions, createBackend } from "./backends/select.ts";
export { createWasm, type WasmOptions } from "./backends/wasm/create.ts";
export * from "./js.ts";

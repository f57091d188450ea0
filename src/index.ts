// dpo-kernels: preference-tuning losses and their gradients, with TRL's numbers, wherever JavaScript runs.

export type { BackendOptions } from "./backends/choose.ts";
export { createBackend } from "./backends/select.ts";
export { createWasm } from "./backends/wasm/create.ts";
export type { WasmOptions } from "./backends/wasm/factory.ts";
export * from "./js.ts";

// dpo-kernels in Cloudflare Workers.

export type { BackendOptions } from "./backends/choose.ts";
export type { WasmOptions } from "./backends/wasm/factory.ts";
export { createBackend, createWasm } from "./backends/workerd.ts";
export * from "./js.ts";

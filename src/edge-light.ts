// dpo-kernels in Vercel's and Next.js' edge runtimes.

export type { BackendOptions } from "./backends/choose.ts";
export { createBackend, createWasm } from "./backends/edge-light.ts";
export type { WasmOptions } from "./backends/wasm/factory.ts";
export * from "./js.ts";

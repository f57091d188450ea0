// The same backend, for entries that load it with the first call: a bundle then knows which of its names are asked for later.

export { wasmBackend } from "./wasm.ts";

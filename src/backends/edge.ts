// Runtimes at the edge compile no bytes and have no workers: a module comes with the deployment, and all runs in one thread.

import { BackendError } from "../errors.ts";
import { isBytes, readSource } from "../kernels/load.ts";
import { type CreateBackend, createBackendWith } from "./choose.ts";
import { type CreateWasm, createWasmWith } from "./wasm/factory.ts";

// With its first call: the entry carries none of it for those who take another backend.
const wasmBackend = async () => (await import("./wasm/on-demand.ts")).wasmBackend;

const howTo = (file: string): string => `import module from "dpo-kernels/${file}", and pass { module }`;

const unavailable = (message: string): BackendError => new BackendError("unavailable", `wasm: ${message}`);

/** `createWasm` over the plain module, compiled when it was deployed. */
export const createEdgeWasm = (builtIn: WebAssembly.Module): CreateWasm =>
  createWasmWith(async ({ module: given, relaxed }) => {
    if (given === undefined) {
      if (relaxed !== true) return { module: builtIn, kind: "SIMD" };
      throw unavailable(`relaxed SIMD is not part of this entry: ${howTo("kernels-relaxed.wasm")}`);
    }
    const module = await readSource(given);
    if (isBytes(module)) throw unavailable(`this place compiles no bytes: ${howTo("kernels.wasm")}`);
    return { module, kind: "the module given" };
  }, wasmBackend);

/** `createBackend` over a `createWasm` of this file. */
export const createEdgeBackend = (createWasm: CreateWasm): CreateBackend => createBackendWith(createWasm, []);

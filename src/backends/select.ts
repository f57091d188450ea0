// Which backend is the best one here, and why.

import { recordOf } from "../checks/record.ts";
import { BackendError, ParamError } from "../errors.ts";
import { hasSimd } from "../kernels/load.ts";
import { shown } from "../messages.ts";
import type { AsyncBackend, Backend } from "../types.ts";
import { createJs } from "./js/js.ts";
import { createWasm, type WasmOptions } from "./wasm/create.ts";

export interface BackendOptions extends WasmOptions {
  /** The work it is wanted for. Default "pairs". */
  for?: "pairs" | "logits" | "linear" | undefined;
}

const works = ["pairs", "logits", "linear"] as const;

const readOptions = recordOf(
  { what: "options", field: "an option of createBackend" },
  ({ for: work, module, relaxed, reserve }: BackendOptions) => ({ for: work, module, relaxed, reserve }),
);

/**
 * The best backend for the work here. For pairs: SIMD in this thread, whose calls return at once. For logits and hidden states:
 * WebGPU where there is a real GPU, else a pool of workers where the machine runs several; their calls are promises, so always
 * `await` them. Plain JavaScript where WebAssembly may not be compiled. `name` and `reason` say which one it is and why.
 *
 * Throws    ParamError if `for` is not a kind of work
 * @example  const backend = await createBackend({ for: "pairs" });
 *           console.log(backend.name, backend.reason);
 */
export async function createBackend(options?: BackendOptions & { for?: "pairs" | undefined }): Promise<Backend>;
export async function createBackend(options: BackendOptions): Promise<Backend | AsyncBackend>;
export async function createBackend(options: BackendOptions = {}): Promise<Backend | AsyncBackend> {
  const { for: work = "pairs", ...wasmOptions } = readOptions(options);
  if (!works.includes(work)) {
    throw new ParamError("out-of-range", `for: expected ${works.join(", ")}, got ${shown(work)}`);
  }
  // A GPU has nothing to do with modules and memory of this thread.
  if (
    work !== "pairs" &&
    "gpu" in (globalThis.navigator ?? {}) &&
    Object.values(wasmOptions).every((value) => value === undefined)
  ) {
    const { createWebGpu, hasRealGpu } = await import("../webgpu.ts");
    if (await hasRealGpu()) return createWebGpu();
  }
  if (!hasSimd()) return { ...createJs(), reason: "plain JavaScript: this engine has no WebAssembly SIMD" };
  try {
    // What is reserved is memory of this thread.
    if (work !== "pairs" && !wasmOptions.reserve) {
      const { createPool, worthAPool } = await import("./pool/pool.ts");
      if (worthAPool()) return await createPool({ module: wasmOptions.module, relaxed: wasmOptions.relaxed });
    }
    return await createWasm(wasmOptions);
  } catch (error) {
    if (!(error instanceof BackendError) || error.code !== "unavailable") throw error;
    return { ...createJs(), reason: `plain JavaScript: ${error.message}` };
  }
}

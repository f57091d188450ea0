// Which backend is the best one here, and why.

import { BackendError, ParamError } from "../errors.ts";
import { shown } from "../plan.ts";
import type { Backend } from "../types.ts";
import { hasSimd } from "../wasm/load.ts";
import { createJs } from "./js.ts";
import { createWasm, type WasmOptions } from "./wasm.ts";

export interface BackendOptions extends WasmOptions {
  /** The work it is wanted for. Default "pairs". */
  for?: "pairs" | "logits" | "linear" | undefined;
}

const works = ["pairs", "logits", "linear"] as const;

/**
 * The best backend for the work here: SIMD where WebAssembly may be compiled, plain JavaScript elsewhere. `name` and
 * `reason` say which one it is and why.
 *
 * Throws    ParamError if `for` is not a kind of work
 * @example  const backend = await createBackend({ for: "pairs" });
 *           console.log(backend.name, backend.reason);
 */
export async function createBackend(options: BackendOptions = {}): Promise<Backend> {
  const { for: work = "pairs", ...wasmOptions } = options;
  if (!works.includes(work)) {
    throw new ParamError("out-of-range", `for: expected ${works.join(", ")}, got ${shown(work)}`);
  }
  if (!hasSimd()) return { ...createJs(), reason: "plain JavaScript: this engine has no WebAssembly SIMD" };
  try {
    return await createWasm(wasmOptions);
  } catch (error) {
    if (!(error instanceof BackendError) || error.code !== "unavailable") throw error;
    return { ...createJs(), reason: `plain JavaScript: ${error.message}` };
  }
}

// What every createBackend does: the best backend for the work that this place has, and the next one where it does not start.

import { recordOf } from "../checks/record.ts";
import { DpoError, ParamError } from "../errors.ts";
import { reasonIn, shown } from "../messages.ts";
import type { AsyncBackend, Backend } from "../types.ts";
import { createJs } from "./js/js.ts";
import type { CreateWasm, WasmOptions } from "./wasm/factory.ts";

export interface BackendOptions extends WasmOptions {
  /** The work it is wanted for. Default "pairs". */
  for?: "pairs" | "logits" | "linear" | undefined;
}

export interface CreateBackend {
  (options?: BackendOptions & { for?: "pairs" | undefined }): Promise<Backend>;
  (options: BackendOptions): Promise<Backend | AsyncBackend>;
}

/** A backend that computes elsewhere than in this thread; undefined where it is not worth it. */
export type Elsewhere = (options: WasmOptions) => Promise<AsyncBackend | undefined>;

const works = ["pairs", "logits", "linear"] as const;

const readOptions = recordOf<BackendOptions>({ what: "options", field: "an option of createBackend" }, [
  "for",
  "module",
  "relaxed",
  "reserve",
]);

/** `elsewhere`: the factories to try first for logits and hidden states, the best one first. */
export function createBackendWith(createWasm: CreateWasm, elsewhere: readonly Elsewhere[]): CreateBackend {
  async function createBackend(options: BackendOptions = {}): Promise<Backend | AsyncBackend> {
    const { for: work = "pairs", ...wasmOptions } = readOptions(options);
    if (!works.includes(work)) {
      throw new ParamError("out-of-range", `for: expected ${works.join(", ")}, got ${shown(work)}`);
    }
    let reason = "";
    const inThisThread = async () => {
      const backend = await createWasm(wasmOptions);
      return reason ? { ...backend, reason: `${backend.reason}; ${reason}` } : backend;
    };
    for (const create of [...(work === "pairs" ? [] : elsewhere), inThisThread]) {
      try {
        const backend = await create(wasmOptions);
        if (backend) return backend;
      } catch (error) {
        // What is wrong with the options is the caller's to hear. Anything else is something that this place lacks.
        if (error instanceof DpoError && error.code !== "unavailable") throw error;
        reason = reasonIn(error);
      }
    }
    return { ...createJs(), reason: `plain JavaScript: ${reason}` };
  }
  return createBackend as CreateBackend;
}

// What every factory of the SIMD backend does, wherever its module comes from, and what drives it.

import { recordOf } from "../../checks/record.ts";
import { outOfRange } from "../../checks/refusals.ts";
import type { WasmSource } from "../../kernels/load.ts";
import type { ModuleOptions } from "../../kernels/modules.ts";
import { shown } from "../../messages.ts";
import type { Backend } from "../../types.ts";
import type { wasmBackend } from "./wasm.ts";

export interface WasmOptions {
  /** A compiled module, its bytes or a Response, in place of the one built in: `dpo-kernels/kernels.wasm`. */
  module?: WasmSource | Promise<WasmSource> | undefined;
  /** Relaxed SIMD (fused multiply-add). Default: where the engine has it; `false` for the same bits on every machine. */
  relaxed?: boolean | undefined;
  /** Bytes of memory for `allocate`, fixed for the life of the backend. Default 0. */
  reserve?: number | undefined;
}

export type CreateWasm = (options?: WasmOptions) => Promise<Backend>;

/** Finds the module that the options ask for, and says in words what kind of module it is. */
type FindModule = (options: ModuleOptions) => Promise<{ module: WebAssembly.Module; kind: string }>;

const readOptions = recordOf<WasmOptions>({ what: "options", field: "an option of createWasm" }, [
  "module",
  "relaxed",
  "reserve",
]);

/** The backend over a module; `findBackend` gives what makes it. */
export function createWasmWith(
  findModule: FindModule,
  findBackend: () => typeof wasmBackend | Promise<typeof wasmBackend>,
): CreateWasm {
  async function createWasm(given: WasmOptions = {}): Promise<Backend> {
    const options = readOptions(given);
    const { reserve = 0 } = options;
    const most = 65000 * 65536;
    if (!Number.isSafeInteger(reserve) || reserve < 0 || reserve > most) {
      throw outOfRange("reserve", `bytes in 0..${most}`, shown(reserve));
    }
    const { module, kind } = await findModule(options);
    return (await findBackend())(module, reserve, kind);
  }
  return createWasm;
}

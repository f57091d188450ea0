// The factory of the SIMD backend. The kernels and what drives them come with its first call: the entry carries none of it for those
// who take another backend.

import { recordOf } from "../../checks/record.ts";
import { ParamError } from "../../errors.ts";
import { compile, isBytes, type WasmSource } from "../../kernels/load.ts";
import { shown } from "../../messages.ts";
import type { Backend } from "../../types.ts";

export interface WasmOptions {
  /** A compiled module, its bytes or a Response, in place of the one built in: `dpo-kernels/kernels.wasm`. */
  module?: WasmSource | Promise<WasmSource> | undefined;
  /** Relaxed SIMD (fused multiply-add). Default: where the engine has it; `false` for the same bits on every machine. */
  relaxed?: boolean | undefined;
  /** Bytes of memory for `allocate`, fixed for the life of the backend. Default 0. */
  reserve?: number | undefined;
}

const readOptions = recordOf(
  { what: "options", field: "an option of createWasm" },
  ({ module, relaxed, reserve }: WasmOptions) => ({ module, relaxed, reserve }),
);

/**
 * A backend on WebAssembly SIMD in this thread: calls return at once.
 *
 * Throws    BackendError if this place cannot compile the module; ParamError if `reserve` is out of range; KindError
 * @example  const wasm = await createWasm();
 *           const { loss, gradChosen, gradRejected } = wasm.pairLoss(pairs, { lossType: "sigmoid", beta: 0.1 });
 */
export async function createWasm(given: WasmOptions = {}): Promise<Backend> {
  const options = readOptions(given);
  const { reserve = 0, relaxed } = options;
  const most = 65000 * 65536;
  if (!Number.isSafeInteger(reserve) || reserve < 0 || reserve > most) {
    throw new ParamError("out-of-range", `reserve: expected bytes in 0..${most}, got ${shown(reserve)}`);
  }
  const { checkRelaxed, findModule } = await import("../../kernels/engines.ts");
  checkRelaxed(relaxed);
  const { wasmBackend } = await import("./wasm.ts");
  const { source, kind } = await findModule(options);
  return wasmBackend(isBytes(source) ? await compile(source) : source, reserve, kind);
}

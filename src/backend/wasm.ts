// The SIMD backend of this thread: loads a module and gives it memory.

import { BackendError, ParamError } from "../errors.ts";
import type { Plan } from "../plan.ts";
import type { Backend } from "../types.ts";
import { createHeap } from "../wasm/heap.ts";
import {
  builtInModule,
  compileSource,
  hasRelaxedSimd,
  instantiate,
  STATIC_BYTES,
  type WasmSource,
} from "../wasm/load.ts";
import { rememberMemory } from "../wasm/memories.ts";
import { untilDisposed } from "./dispose.ts";
import { makeLinearLoss } from "./linear-loss.ts";
import { makeLogitsLoss, makeSequenceLogps } from "./logits-loss.ts";
import { makePairLoss } from "./pair-loss.ts";
import { createLinearShards } from "./wasm-linear.ts";
import { kernelOf, pairBytes, pairEngine } from "./wasm-pairs.ts";
import { rowBytes, rowEngine } from "./wasm-rows.ts";
import { createSorter } from "./wasm-sort.ts";

export interface WasmOptions {
  /** A compiled module, its bytes or a Response, in place of the one built in: `dpo-kernels/kernels.wasm`. */
  module?: WasmSource | Promise<WasmSource> | undefined;
  /** Relaxed SIMD (fused multiply-add). Default: where the engine has it; `false` for the same bits on every machine. */
  relaxed?: boolean | undefined;
  /** Bytes of memory for `allocate`, fixed for the life of the backend. Default 0. */
  reserve?: number | undefined;
}

const PAGE = 65536;

/**
 * A backend on WebAssembly SIMD in this thread: calls return at once.
 *
 * Throws    BackendError if this place cannot compile the module; ParamError if `reserve` is out of range
 * @example  const wasm = await createWasm();
 *           const { loss, gradChosen, gradRejected } = wasm.pairLoss(pairs, { lossType: "sigmoid", beta: 0.1 });
 */
export async function createWasm(options: WasmOptions = {}): Promise<Backend> {
  const { reserve = 0 } = options;
  const most = 65000 * PAGE;
  if (!Number.isSafeInteger(reserve) || reserve < 0 || reserve > most) {
    throw new ParamError("out-of-range", `reserve: expected bytes in 0..${most}, got ${reserve}`);
  }
  const relaxed = options.relaxed ?? hasRelaxedSimd();
  if (options.module) {
    return wasmBackend(await compileSource(await options.module), reserve, "the module given");
  }
  return wasmBackend(await builtInModule(relaxed), reserve, relaxed ? "relaxed SIMD, fused multiply-add" : "SIMD");
}

function wasmBackend(module: WebAssembly.Module, reserve: number, kind: string): Backend {
  const rowsStart = STATIC_BYTES + pairBytes;
  const heapStart = rowsStart + rowBytes;
  const memory = createMemory(heapStart + reserve);
  const kernels = instantiate(module, memory);
  const pairs = { ...pairEngine(kernels, memory.buffer, STATIC_BYTES, createSorter(module)), check: checkKernels };
  const rows = rowEngine(kernels, memory.buffer, rowsStart);
  return {
    name: "wasm",
    reason: `WebAssembly in this thread: ${kind}`,
    ...untilDisposed({
      pairLoss: makePairLoss(pairs),
      sequenceLogps: makeSequenceLogps(rows),
      logitsLoss: makeLogitsLoss(rows, pairs),
      linearLoss: makeLinearLoss(createLinearShards(module), rows, pairs),
      ...createHeap(memory.buffer, heapStart),
    }),
  };
}

function checkKernels(plan: Plan): void {
  for (const { loss } of plan.terms) {
    if ("likelihood" in loss || kernelOf(loss)) continue;
    throw new BackendError("unavailable", `${loss.id}: no kernel of this loss is built in; createJs() runs any loss`);
  }
}

function createMemory(bytes: number): WebAssembly.Memory {
  const pages = Math.ceil(bytes / PAGE);
  try {
    return rememberMemory(new WebAssembly.Memory({ initial: pages, maximum: pages }));
  } catch (cause) {
    throw new BackendError("out-of-memory", `reserve: expected ${bytes} bytes of memory, got none`, { cause });
  }
}

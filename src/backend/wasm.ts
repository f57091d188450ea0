// The SIMD backend of this thread: loads a module and gives it memory.

import { BackendError, KindError, ParamError } from "../errors.ts";
import { kindOf, shown } from "../kinds.ts";
import type { Plan } from "../plan.ts";
import { recordOf } from "../record.ts";
import type { Backend } from "../types.ts";
import { createHeap } from "../wasm/heap.ts";
import {
  builtInBytes,
  compile,
  hasRelaxedSimd,
  instantiate,
  isBytes,
  type KernelExports,
  readSource,
  STATIC_BYTES,
  type WasmSource,
} from "../wasm/load.ts";
import { rememberMemory } from "../wasm/memories.ts";
import { untilDisposed } from "./dispose.ts";
import { makeLinearLoss } from "./linear-loss.ts";
import type { LinearShards } from "./linear-shards.ts";
import { makeLogitsLoss, makeSequenceLogps } from "./logits-loss.ts";
import { makePairLoss } from "./pair-loss.ts";
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

const readOptions = recordOf(
  { what: "options", field: "an option of createWasm" },
  ({ module, relaxed, reserve }: WasmOptions) => ({ module, relaxed, reserve }),
);

/** Whether relaxed SIMD is wanted. Throws    KindError */
export function checkRelaxed(relaxed: unknown): void {
  if (relaxed === undefined || typeof relaxed === "boolean") return;
  throw new KindError(`relaxed: expected true or false, got ${kindOf(relaxed)}`);
}

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
  const most = 65000 * PAGE;
  if (!Number.isSafeInteger(reserve) || reserve < 0 || reserve > most) {
    throw new ParamError("out-of-range", `reserve: expected bytes in 0..${most}, got ${shown(reserve)}`);
  }
  checkRelaxed(relaxed);
  // What linear losses need is a chunk of its own: it comes while the module is compiled, and not for those who take no backend.
  const linear = import("./wasm-linear.ts");
  const { source, kind } = await findModule(options);
  const module = isBytes(source) ? await compile(source) : source;
  return wasmBackend(module, reserve, kind, (await linear).createLinearShards(module));
}

/** The module that the options ask for, compiled or not, and what kind of module it is, in words. */
export async function findModule({ module, relaxed = hasRelaxedSimd() }: Pick<WasmOptions, "module" | "relaxed">) {
  if (module) return { source: await readSource(await module), kind: "the module given" };
  return { source: await builtInBytes(relaxed), kind: relaxed ? "relaxed SIMD, fused multiply-add" : "SIMD" };
}

/** Bytes that the engines' buffers take. */
export const ENGINE_BYTES = pairBytes + rowBytes;

/** The engines over an instance, with their buffers from byte `base` of its memory on; arrays that it holds are used in place. */
export function createEngines(
  module: WebAssembly.Module,
  kernels: KernelExports,
  { buffer }: WebAssembly.Memory,
  base: number,
  holds: (array: ArrayBufferView) => boolean,
) {
  return {
    pairs: { ...pairEngine(kernels, buffer, base, createSorter(module), holds), check: checkKernels },
    rows: rowEngine(kernels, buffer, base + pairBytes, holds),
  };
}

function wasmBackend(module: WebAssembly.Module, reserve: number, kind: string, linear: LinearShards): Backend {
  const heapStart = STATIC_BYTES + ENGINE_BYTES;
  const memory = createMemory(heapStart + reserve);
  const kernels = instantiate(module, memory);
  const { buffer } = memory;
  const { pairs, rows } = createEngines(module, kernels, memory, STATIC_BYTES, (array) => array.buffer === buffer);
  const { allocate, free } = createHeap(memory, heapStart);
  return {
    name: "wasm",
    reason: `WebAssembly in this thread: ${kind}`,
    ...untilDisposed({
      pairLoss: makePairLoss(pairs),
      sequenceLogps: makeSequenceLogps(rows),
      logitsLoss: makeLogitsLoss(rows, linear, pairs),
      linearLoss: makeLinearLoss(rows, linear, pairs),
      allocate,
      free,
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

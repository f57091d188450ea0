// The SIMD backend over a module: its memory, its engines and its calls.

import { bindNow } from "../../calls/bind.ts";
import { bufferOf } from "../../checks/views.ts";
import { shardsInOrder } from "../../cpu/head.ts";
import { eachRow } from "../../cpu/rows.ts";
import { BackendError, KindError } from "../../errors.ts";
import { createLinearShards } from "../../kernels/head.ts";
import { createHeap } from "../../kernels/heap.ts";
import {
  builtInBytes,
  hasRelaxedSimd,
  instantiate,
  type KernelExports,
  readSource,
  STATIC_BYTES,
  type WasmSource,
} from "../../kernels/load.ts";
import { rememberMemory } from "../../kernels/memories.ts";
import { kernelOf, pairBytes, pairEngine } from "../../kernels/pairs.ts";
import { rowBytes, rowEngine } from "../../kernels/rows.ts";
import { createSorter } from "../../kernels/sort.ts";
import { kindOf } from "../../messages.ts";
import type { Plan } from "../../plan/plan.ts";
import type { Backend } from "../../types.ts";

/** Bytes of a page of WebAssembly memory. */
const PAGE = 65536;

/** Whether relaxed SIMD is wanted. Throws    KindError */
export function checkRelaxed(relaxed: unknown): void {
  if (relaxed === undefined || typeof relaxed === "boolean") return;
  throw new KindError(`relaxed: expected true or false, got ${kindOf(relaxed)}`);
}

/** The module that the options ask for, compiled or not, and what kind of module it is, in words. */
export async function findModule({
  module,
  relaxed = hasRelaxedSimd(),
}: {
  module?: WasmSource | Promise<WasmSource> | undefined;
  relaxed?: boolean | undefined;
}) {
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

/** The backend over a compiled module, with `reserve` bytes for `allocate`. */
export function wasmBackend(module: WebAssembly.Module, reserve: number, kind: string): Backend {
  const heapStart = STATIC_BYTES + ENGINE_BYTES;
  const memory = createMemory(heapStart + reserve);
  const kernels = instantiate(module, memory);
  const { buffer } = memory;
  const { pairs, rows } = createEngines(module, kernels, memory, STATIC_BYTES, (array) => bufferOf(array) === buffer);
  return {
    name: "wasm",
    reason: `WebAssembly in this thread: ${kind}`,
    ...bindNow(
      { pairs, logits: eachRow(rows), head: shardsInOrder(createLinearShards(module)) },
      createHeap(memory, heapStart),
    ),
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

// The SIMD backend over a module: its memory, its engines and its calls.

import { bindNow } from "../../calls/bind.ts";
import { bufferOf, offsetOf } from "../../checks/views.ts";
import { shardsInOrder } from "../../cpu/head.ts";
import { eachRow } from "../../cpu/rows.ts";
import { BackendError } from "../../errors.ts";
import { createEngines, ENGINE_BYTES } from "../../kernels/engines.ts";
import { createLinearShards } from "../../kernels/head.ts";
import { createHeap } from "../../kernels/heap.ts";
import { instantiate, STATIC_BYTES } from "../../kernels/load.ts";
import type { Backend } from "../../types.ts";

/** Bytes of a page of WebAssembly memory. */
const PAGE = 65536;

/** The backend over a compiled module, with `reserve` bytes for `allocate`. */
export function wasmBackend(module: WebAssembly.Module, reserve: number, kind: string): Backend {
  const heapStart = STATIC_BYTES + ENGINE_BYTES;
  const memory = createMemory(heapStart + reserve);
  const kernels = instantiate(module, memory);
  const { buffer } = memory;
  // Most arrays start their buffer: to ask for it is what a call of a few pairs would spend its time on.
  const holds = (array: ArrayBufferView): boolean => offsetOf(array) >= heapStart && bufferOf(array) === buffer;
  const { pairs, rows } = createEngines(module, kernels, memory, STATIC_BYTES, holds);
  return {
    name: "wasm",
    reason: `WebAssembly in this thread: ${kind}`,
    ...bindNow(
      { pairs, logits: eachRow(rows, true), head: shardsInOrder(createLinearShards(module)) },
      createHeap(memory, heapStart),
    ),
  };
}

function createMemory(bytes: number): WebAssembly.Memory {
  const pages = Math.ceil(bytes / PAGE);
  try {
    return new WebAssembly.Memory({ initial: pages, maximum: pages });
  } catch (cause) {
    throw new BackendError("out-of-memory", `reserve: expected ${bytes} bytes of memory, got none`, { cause });
  }
}

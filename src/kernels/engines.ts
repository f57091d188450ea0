// The engines of the kernels over a module and its memory, as this thread and every worker of a pool make them.

import { BackendError } from "../errors.ts";
import { kernelOf } from "../plan/kernel-of.ts";
import type { Plan } from "../plan/plan.ts";
import type { KernelExports } from "./load.ts";
import { pairBytes, pairEngine } from "./pairs.ts";
import { rowBytes, rowEngine } from "./rows.ts";
import { createSorter } from "./sort.ts";

/** Bytes that the engines' buffers take. */
export const ENGINE_BYTES = pairBytes + rowBytes;

/** The engines over an instance, with their buffers from byte `base` of its memory on; arrays that it holds are used in place. */
export function createEngines(
  module: WebAssembly.Module,
  kernels: KernelExports,
  memory: WebAssembly.Memory,
  base: number,
  holds: (array: ArrayBufferView) => boolean,
) {
  return {
    pairs: { ...pairEngine(kernels, memory, base, createSorter(module), holds), check: checkKernels },
    rows: rowEngine(kernels, memory.buffer, base + pairBytes, holds),
  };
}

function checkKernels(plan: Plan): void {
  for (const { loss } of plan.terms) {
    if (loss.kind === "likelihood" || kernelOf(loss)) continue;
    throw new BackendError("unavailable", `${loss.id}: no kernel of this loss is built in; createJs() runs any loss`);
  }
}

// What a pool starts from: the module, the memory that its workers share, the engines of the calling thread.

import { shardsInOrder } from "../../cpu/head.ts";
import { eachRow } from "../../cpu/rows.ts";
import { BackendError } from "../../errors.ts";
import { compile } from "../../kernels/built-in.ts";
import { createEngines, ENGINE_BYTES } from "../../kernels/engines.ts";
import { createLinearShards } from "../../kernels/head.ts";
import { instantiate, STATIC_BYTES } from "../../kernels/load.ts";
import { findModule } from "../../kernels/modules.ts";
import { forSharedMemory } from "../../kernels/shared-module.ts";
import type { Settings } from "./settings.ts";
import { createSharedMemory, sharingRefusal } from "./shared-memory.ts";

/** The module, compiled; and where memory can be shared, the memory and the module for it. */
export async function prepare({ module: given, relaxed, memory }: Settings) {
  const { module, kind, bytes: source } = await findModule({ module: given, relaxed });
  const refusal = memory === "transfer" ? 'memory is "transfer"' : sharingRefusal();
  if (memory === "shared" && refusal)
    throw new BackendError("unavailable", `memory: expected shared memory: ${refusal}`);
  const bytes = refusal === undefined && source ? forSharedMemory(source) : undefined;
  const all = bytes && createSharedMemory(STATIC_BYTES);
  const shared = all && { module: await compile(bytes), memory: all };
  return { module, kind, shared, refusal };
}

/** Engines of this thread, for the pair stage and for what is too small to send. */
export function localEngines(module: WebAssembly.Module) {
  const pages = Math.ceil((STATIC_BYTES + ENGINE_BYTES) / 65536);
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
  const { pairs, rows } = createEngines(module, instantiate(module, memory), memory, STATIC_BYTES, () => false);
  return { pairs, logits: eachRow(rows), head: shardsInOrder(createLinearShards(module)) };
}

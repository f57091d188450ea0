// Opens a device for calls.

import { createPool } from "./buffers.ts";
import { openDevice, type WebGpuOptions } from "./device.ts";
import { type FoundReduction, findReduction } from "./reduction.ts";
import type { Gpu } from "./submit.ts";

/** Throws    BackendError where there is none, or where it is lost */
export async function openGpu(options: WebGpuOptions): Promise<Gpu & FoundReduction> {
  const opened = await openDevice(options);
  const queue = Object.assign(opened, { pool: createPool(opened.device) });
  return Object.assign(queue, await findReduction(queue));
}

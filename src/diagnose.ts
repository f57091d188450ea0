// dpo-kernels/diagnose: what of this package runs here, and for the rest why not.

import { createPool } from "./backends/pool/pool.ts";
import { createBackend } from "./backends/select.ts";
import { createWasm } from "./backends/wasm/create.ts";
import { createWebGpu } from "./backends/webgpu/webgpu.ts";
import { type Diagnosis, diagnoseWith } from "./diagnose/diagnose.ts";

export type { Diagnosis, Finding } from "./diagnose/diagnose.ts";
export type { Place } from "./diagnose/place.ts";

/**
 * Which backends run here and give the right numbers, for the others why not, and what else of the place matters. It never rejects;
 * it takes a second where there is a pool to start. `npx dpo-kernels doctor` prints it.
 *
 * @example  import { diagnose } from "dpo-kernels/diagnose";
 *           const { chosen, backends } = await diagnose();
 *           for (const { backend, runs, reason } of backends) console.log(backend, runs, reason);
 */
export const diagnose = (): Promise<Diagnosis> =>
  diagnoseWith({ createBackend, createWasm, createPool: () => createPool(), createWebGpu: () => createWebGpu() });

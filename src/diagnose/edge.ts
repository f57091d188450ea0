// The same for runtimes at the edge, whose entries have neither pool nor WebGPU.

import type { CreateBackend } from "../backends/choose.ts";
import { noWorkers } from "../backends/pool/no-workers.ts";
import type { CreateWasm } from "../backends/wasm/factory.ts";
import { BackendError } from "../errors.ts";
import { type Diagnosis, diagnoseWith } from "./diagnose.ts";

export type { Diagnosis } from "./diagnose.ts";

export const diagnoseAtEdge = (createBackend: CreateBackend, createWasm: CreateWasm): Promise<Diagnosis> =>
  diagnoseWith({
    createBackend,
    createWasm,
    createPool: async () => {
      throw noWorkers();
    },
    createWebGpu: async () => {
      throw new BackendError("unavailable", "webgpu: runtimes at the edge have none");
    },
  });

// dpo-kernels/pool in runtimes at the edge, which have no workers.

import { noWorkers } from "./backends/pool/no-workers.ts";
import type { createPool as create } from "./backends/pool/pool.ts";

export const createPool: typeof create = async () => {
  throw noWorkers();
};

// dpo-kernels/pool: the backend that spreads its calls over workers.

export { createPool } from "./backends/pool/pool.ts";
export type { PoolOptions } from "./backends/pool/settings.ts";
export type { AnyWorker, NodeWorker } from "./backends/pool/start-worker.ts";
export type * from "./types.ts";

// dpo-kernels/pool: the backend that spreads its calls over workers.

export { createPool } from "./pool/create.ts";
export type { PoolOptions } from "./pool/settings.ts";
export type { AnyWorker, NodeWorker } from "./pool/start-worker.ts";
export type * from "./types.ts";

import type { PoolWorker } from "./pool-worker.ts";
import type { Call } from "./queue.ts";
import type { WorkerPool } from "./worker-pool.ts";

/**
 * All shards of a call on the workers, in its turn; results in the order of the shards. The first error drops those that still
 * wait, and is thrown once all others have ended: when a call rejects, nobody writes to its arrays any more.
 */
export async function runShards<S, T>(
  workers: WorkerPool,
  call: Call,
  shards: readonly S[],
  work: (shard: S, worker: PoolWorker) => Promise<T>,
  wanted?: (shard: S) => PoolWorker | undefined,
): Promise<T[]> {
  await call.turn();
  call.onStop = (why) => workers.cancel(call, why);
  const run = (shard: S): Promise<T> => workers.run(call, (worker) => work(shard, worker), wanted?.(shard));
  const results = await Promise.allSettled(
    shards.map((shard) =>
      run(shard).catch((error) => {
        workers.cancel(call, error);
        throw error;
      }),
    ),
  );
  return results.map((result) => {
    if (result.status === "rejected") throw result.reason;
    return result.value;
  });
}

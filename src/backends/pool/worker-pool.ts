// The workers of a pool and the shards that wait for them: first come, first served, each to the worker with least to do.

import { WorkerError } from "../../errors.ts";
import type { PoolWorker } from "./pool-worker.ts";
import { breathe } from "./timing.ts";

/** What a shard asks of the worker it is given to. */
export type Work<T> = (worker: PoolWorker) => Promise<T>;

export interface WorkerPool {
  /** The most workers that run at once. */
  readonly size: number;
  /** Runs `work` on a worker, on `wanted` if that one is still sound. `owner` groups what `cancel` drops together. */
  run<T>(owner: object, work: Work<T>, wanted?: PoolWorker): Promise<T>;
  /** Drops what the owner has waiting; what runs already is left to end. */
  cancel(owner: object, why: Error): void;
  end(why: Error): Promise<void>;
}

// Shards that a worker has at once: while it computes one, the next is already with it.
// measured: docs/laboratory.md, "Pool"
const DEPTH = 2;

/** Milliseconds that sending shards, with their copies, may keep the calling thread. */
const MOST_BUSY = 4;

interface Place {
  worker: PoolWorker | undefined;
  load: number;
}

interface Shard {
  owner: object;
  wanted: PoolWorker | undefined;
  send: (place: Place) => void;
  reject: (why: Error) => void;
}

/** Up to `size` workers; each is started when there is work that no started one is free for. `onEnd`: it no longer writes. */
export function createWorkerPool(size: number, start: (onEnd: () => void) => PoolWorker): WorkerPool {
  const started = new Set<PoolWorker>();
  const places: Place[] = Array.from({ length: size }, () => ({ worker: undefined, load: 0 }));
  let queue: Shard[] = [];
  let sending = false;

  const isStaffed = ({ worker }: Place): boolean => worker !== undefined && !worker.failure;
  const placeFor = ({ wanted }: Shard): Place | undefined => {
    const home = wanted && !wanted.failure && places.find(({ worker }) => worker === wanted);
    if (home) return home.load < DEPTH ? home : undefined;
    const load = (place: Place): number => place.load + (isStaffed(place) ? 0 : 0.5);
    const least = places.reduce((best, place) => (load(place) < load(best) ? place : best));
    return least.load < DEPTH ? least : undefined;
  };

  const send = async (): Promise<void> => {
    if (sending) return;
    sending = true;
    let since = performance.now();
    for (let at = 0; at < queue.length; ) {
      const shard = queue[at] as Shard;
      const place = placeFor(shard);
      if (!place) {
        at++;
        continue;
      }
      queue.splice(at, 1);
      shard.send(place);
      if (performance.now() - since < MOST_BUSY) continue;
      await breathe();
      since = performance.now();
      at = 0;
    }
    sending = false;
  };

  const workerOf = (place: Place): PoolWorker => {
    if (place.worker && !place.worker.failure) return place.worker;
    const worker = start(() => started.delete(worker));
    started.add(worker);
    place.worker = worker;
    return worker;
  };

  return {
    size,
    run<T>(owner: object, work: Work<T>, wanted?: PoolWorker) {
      return new Promise<T>((resolve, reject) => {
        const start = (place: Place): void => {
          place.load++;
          let worker: PoolWorker;
          try {
            worker = workerOf(place);
          } catch (cause) {
            place.load--;
            reject(new WorkerError("worker: it could not be started", { cause }));
            return;
          }
          worker.keepAlive(true);
          const done = (): void => {
            place.load--;
            if (place.load === 0) place.worker?.keepAlive(false);
            send();
          };
          work(worker).then(resolve, reject).then(done);
        };
        queue.push({ owner, wanted, send: start, reject });
        send();
      });
    },
    cancel(owner, why) {
      const dropped = queue.filter((shard) => shard.owner === owner);
      queue = queue.filter((shard) => shard.owner !== owner);
      for (const { reject } of dropped) reject(why);
    },
    async end(why) {
      for (const { reject } of queue.splice(0)) reject(why);
      await Promise.all([...started].map((worker) => worker.end(why)));
    },
  };
}

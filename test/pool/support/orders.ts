// What a test tells its unruly workers: numbers in shared memory, which they read while they work.

import { setTimeout } from "node:timers/promises";
import { Worker } from "node:worker_threads";

export type How = "throw" | "answerDefect" | "answerTyped" | "exit" | "exhaust" | "hang";

export interface Orders {
  how: How;
  control: Int32Array;
}

/** Where in `control`: pieces of work begun, 1 while none may go on, how many will be misbehaved on, and how many were done. */
export const words = { received: 0, closed: 1, times: 2, answered: 3 } as const;

/** Workers under orders: well-behaved until `misbehave`. */
export function unrulyWorkers(how: How = "hang") {
  const control = new Int32Array(new SharedArrayBuffer(16));
  const workers: Worker[] = [];
  const file = new URL("unruly-worker.ts", import.meta.url);
  return {
    workers,
    createWorker: (): Worker => {
      const limits = how === "exhaust" ? { resourceLimits: { maxOldGenerationSizeMb: 24 } } : {};
      const worker = new Worker(file, { workerData: { how, control } satisfies Orders, ...limits });
      workers.push(worker);
      return worker;
    },
    /** The next so many pieces of work go wrong. */
    misbehave: (times: number): void => void Atomics.store(control, words.times, times),
    /** Holds all work up where it begins. */
    close: (): void => void Atomics.store(control, words.closed, 1),
    open(): void {
      Atomics.store(control, words.closed, 0);
      Atomics.notify(control, words.closed);
    },
    received: (): number => Atomics.load(control, words.received),
    answered: (): number => Atomics.load(control, words.answered),
    /** Resolves once workers have begun so many pieces of work. */
    async begun(count: number): Promise<void> {
      while (Atomics.load(control, words.received) < count) await setTimeout(2);
    },
  };
}

// What a second thread of this machine is worth without a pool: two threads, each with a backend of its own and half of the work, woken
// by a word of shared memory. No pool can do better.

import { once } from "node:events";
import { Worker } from "node:worker_threads";

export const KINDS = ["restore", "logits", "pairs", "head", "step"] as const;

/** A batch in place, after `restore` of its logits; pairs; a head's loss; and a training's step, with the reference's pass before it. */
export type BareWork = (typeof KINDS)[number];

/** Where in the shared words stands what. */
export const WORDS = { round: 0, done: 1, threads: 2, kind: 3 };

/** Of the whole work, of which every thread has its half. */
export interface Shapes {
  readonly logits: { readonly rows: number; readonly vocab: number };
  readonly pairs: number;
  readonly head: { readonly tokens: number; readonly width: number; readonly vocab: number };
  /** Tokens of a training's step. */
  readonly step: number;
}

/** A thread that failed cannot say so while this one waits. */
const PATIENCE = 30_000;

export async function createBareThreads(shapes: Shapes) {
  const control = new Int32Array(new SharedArrayBuffer(16));
  const threads = [0, 1].map(
    (index) => new Worker(new URL("bare-thread.ts", import.meta.url), { workerData: { index, control, shapes } }),
  );
  await Promise.all(threads.map((thread) => once(thread, "online")));
  const wake = (kind: number, count: number): void => {
    Atomics.store(control, WORDS.kind, kind);
    Atomics.store(control, WORDS.threads, count);
    Atomics.store(control, WORDS.done, 0);
    Atomics.add(control, WORDS.round, 1);
    Atomics.notify(control, WORDS.round);
  };
  return {
    /** All of it on the first thread, or half on each. */
    run(kind: BareWork, count: 1 | 2): void {
      wake(KINDS.indexOf(kind), count);
      for (let done = 0; done < count; done = Atomics.load(control, WORDS.done)) {
        if (Atomics.wait(control, WORDS.done, done, PATIENCE) === "timed-out") {
          throw new Error(`${kind}: a bare thread did not answer within ${PATIENCE / 1000} s`);
        }
      }
    },
    end: () => wake(0, -1),
  };
}

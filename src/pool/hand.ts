// One worker: started, handed its module, asked with a limit of time, and given up when it fails.

import { type Remote, wrap } from "comlink";
import { DpoError, WorkerError } from "../errors.ts";
import type { Answer, Setup, WorkerApi } from "./messages.ts";
import { type AnyWorker, endpointOf, keepAlive, watch } from "./start-worker.ts";
import { fromWire } from "./wire-error.ts";

/** A worker that answers. */
export interface Hand {
  /** Answers, or rejects with a WorkerError if the worker fails first. */
  ask<T>(call: (api: Remote<WorkerApi>) => Promise<Answer<T>>): Promise<T>;
  /** Undefined while the worker is sound. */
  readonly failure: WorkerError | undefined;
  keepAlive(alive: boolean): void;
  /** Ends the worker; whatever it was asked rejects with `why`. */
  end(why: Error): Promise<void>;
}

/**
 * Starts a worker.
 *
 * `timeout` is how many milliseconds it may take to start, and to answer; `onEnd` is called once, when it fails.
 */
export function createHand(start: () => AnyWorker, setup: Setup, timeout: number, onEnd: () => void): Hand {
  const worker = start();
  const api = wrap<WorkerApi>(endpointOf(worker));
  const waiting = new Set<(error: Error) => void>();
  let failure: WorkerError | undefined;
  const ended = (why: Error): void => {
    if (failure) return;
    failure = why instanceof WorkerError ? why : new WorkerError(why.message, { cause: why });
    for (const reject of waiting) reject(why);
    waiting.clear();
    onEnd();
  };
  const end = async (why: Error): Promise<void> => {
    ended(why);
    await worker.terminate();
  };
  watch(worker, ended);

  // comlink leaves the calls of a dead worker pending for ever: each is raced against the worker's end.
  const ask = <T>(call: (api: Remote<WorkerApi>) => Promise<Answer<T>>): Promise<T> =>
    new Promise<T>((resolve, reject) => {
      if (failure) return reject(failure);
      const timer = setTimeout(
        () => end(new WorkerError(`worker: expected an answer within ${timeout} ms, got none`)),
        timeout,
      );
      const settle = (): void => {
        clearTimeout(timer);
        waiting.delete(fail);
      };
      const fail = (error: Error): void => {
        settle();
        reject(error);
      };
      waiting.add(fail);
      let answered: Promise<Answer<T>>;
      try {
        answered = call(api);
      } catch (error) {
        // It could not even be put together; the worker knows nothing of it.
        fail(error as Error);
        return;
      }
      answered.then(
        (answer) => {
          settle();
          if ("value" in answer) return resolve(answer.value);
          const error = fromWire(answer.error);
          if (error instanceof DpoError) return reject(error);
          // Not an error of ours: the worker is in an unknown state.
          const cause = new WorkerError(`worker: an error was thrown in it: ${error.message}`, { cause: error });
          reject(cause);
          end(cause);
        },
        (cause) => fail(new WorkerError("worker: it could not be asked", { cause })),
      );
    });

  const ready = ask<undefined>((remote) => remote.start(setup) as Promise<Answer<undefined>>);
  let isReady = false;
  ready.then(() => {
    isReady = true;
  }, end);
  return {
    // At once where it can be, so that the time it takes to copy counts for whoever asks.
    ask: (call) => (isReady ? ask(call) : ready.then(() => ask(call))),
    get failure() {
      return failure;
    },
    keepAlive: (alive) => keepAlive(worker, alive),
    end,
  };
}

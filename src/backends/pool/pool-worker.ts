// One worker: started, handed its module, asked with a limit of time, and given up when it fails.

import { type Endpoint, type Remote, wrap } from "comlink";
import { DpoError, WorkerError } from "../../errors.ts";
import { kindOf, shown } from "../../messages.ts";
import { isAnswer, type Sound } from "./answers.ts";
import { shut } from "./gate.ts";
import type { Answer, Setup, WorkerApi } from "./protocol.ts";
import { type AnyWorker, endpointOf, keepAlive, stopWorker, watch } from "./start-worker.ts";
import { version } from "./version.ts";
import { fromWire } from "./wire-error.ts";

/** A worker that answers. */
export interface PoolWorker {
  /** Answers, or rejects with a WorkerError if the worker fails first: once it no longer writes. */
  ask<T>(call: (api: Remote<WorkerApi>) => Promise<Answer<T>>, isSound: Sound): Promise<T>;
  /** Undefined while the worker is sound. */
  readonly failure: WorkerError | undefined;
  keepAlive(alive: boolean): void;
  /** Ends the worker; when it no longer writes, whatever it was asked rejects with `why`. */
  end(why: Error): Promise<void>;
}

/** Milliseconds that a worker may take. */
export interface Limits {
  readonly start: number;
  readonly answer: number;
}

const whose = `is its file the worker.js of dpo-kernels ${version}?`;

/** Starts a worker; `onEnd` is called once, when it has failed or was ended and no longer writes. */
export function startPoolWorker(start: () => AnyWorker, setup: Setup, limits: Limits, onEnd: () => void): PoolWorker {
  const worker = start();
  const waiting = new Set<(error: Error) => void>();
  let failure: WorkerError | undefined;
  let ending: Promise<void> | undefined;

  const stop = async (why: Error): Promise<void> => {
    if (setup.gate) shut(setup.gate);
    await stopWorker(worker, terminate, setup.gate);
    for (const reject of waiting) reject(why);
    waiting.clear();
    onEnd();
  };
  const end = (why: Error): Promise<void> => {
    failure ??= why instanceof WorkerError ? why : new WorkerError(why.message, { cause: why });
    ending ??= stop(why);
    return ending;
  };
  const endWith = (message: string, cause?: unknown): void =>
    void end(new WorkerError(`worker: ${message}`, cause === undefined ? undefined : { cause }));
  const terminate = watch(worker, end);
  const endpoint = answersOnly(endpointOf(worker), (got) =>
    endWith(`expected answers, got a message that answers nothing, ${kindOf(got)}; ${whose}`),
  );
  const api = wrap<WorkerApi>(endpoint);

  // comlink leaves the calls of a dead worker pending for ever: each is raced against the worker's end.
  const ask = <T>(
    call: (api: Remote<WorkerApi>) => Promise<Answer<T>>,
    isSound: Sound,
    milliseconds = limits.answer,
  ): Promise<T> =>
    new Promise<T>((resolve, reject) => {
      if (failure) return reject(failure);
      const timer = setTimeout(() => endWith(`expected an answer within ${milliseconds} ms, got none`), milliseconds);
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
          if (!isAnswer(answer)) return endWith(`expected an answer, got ${kindOf(answer)}; ${whose}`);
          if ("value" in answer) {
            const wrong = isSound(answer.value);
            if (wrong) return endWith(wrong);
            settle();
            return resolve(answer.value);
          }
          const error = fromWire(answer.error);
          if (error instanceof DpoError) return fail(error);
          // Not an error of ours: the worker is in an unknown state.
          endWith(`an error was thrown in it: ${error.message}`, error);
        },
        (cause: unknown) => {
          // What cannot be posted never reached the worker.
          if (isCloneError(cause)) fail(new WorkerError("worker: it could not be asked", { cause }));
          else endWith(`it could not be asked; ${whose}`, cause);
        },
      );
    });

  const isOurs: Sound = (got) => (got === version ? undefined : `expected ${ours}, got ${theirs(got)}`);
  const ready = ask<string>((remote) => remote.start(setup) as Promise<Answer<string>>, isOurs, limits.start);
  let isReady = false;
  ready.then(() => {
    isReady = true;
  }, end);
  return {
    // At once where it can be, so that the time it takes to copy counts for whoever asks.
    ask: (call, isSound) => (isReady ? ask(call, isSound) : ready.then(() => ask(call, isSound))),
    get failure() {
      return failure;
    },
    keepAlive: (alive) => keepAlive(worker, alive),
    end,
  };
}

const ours = `the worker.js of dpo-kernels ${version}`;

const theirs = (got: unknown): string =>
  got === undefined ? "that of an older version, which names none" : `that of ${shown(got)}`;

export const isCloneError = (error: unknown): boolean =>
  typeof error === "object" && error !== null && "name" in error && error.name === "DataCloneError";

/** The endpoint; `onOther` is called with whatever message answers none that was posted, which comlink would leave lying. */
function answersOnly(endpoint: Endpoint, onOther: (data: unknown) => void): Endpoint {
  const open = new Set<unknown>();
  endpoint.addEventListener("message", (event) => {
    const { data } = event as MessageEvent<unknown>;
    const id = typeof data === "object" && data !== null && "id" in data ? data.id : undefined;
    if (!open.delete(id)) onOther(data);
  });
  return {
    postMessage(message, transfer) {
      endpoint.postMessage(message, transfer);
      open.add((message as { id: unknown }).id);
    },
    addEventListener: (...args) => endpoint.addEventListener(...args),
    removeEventListener: (...args) => endpoint.removeEventListener(...args),
  };
}

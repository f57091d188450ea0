// One worker: started, handed its module, asked with a limit of time, and given up when it fails.

import { type Endpoint, type Remote, wrap } from "comlink";
import { DpoError, WorkerError } from "../../errors.ts";
import { kindOf, reasonIn, shown } from "../../messages.ts";
import { isAnswer, type Sound } from "./answers.ts";
import { shut } from "./gate.ts";
import type { Launcher } from "./launcher.ts";
import type { Answer, Setup, WorkerApi } from "./protocol.ts";
import { type AnyWorker, endpointOf, keepAlive, stopWorker, watch } from "./start-worker.ts";
import { version } from "./version.ts";
import { fromWire } from "./wire-error.ts";

let keys = 0;

/** A number for what a worker is to keep from one pass to the next. */
export const newKey = (): number => keys++;

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

/** A worker, what ends it, and what it is asked through. */
interface Link {
  readonly worker: AnyWorker;
  readonly terminate: () => unknown;
  readonly api: Remote<WorkerApi>;
}

/** Milliseconds that a worker may take. */
export interface Limits {
  readonly start: number;
  readonly answer: number;
}

/** Milliseconds in which a thread hears of every message that has come. */
const TURN = 10;

const whose = `is its file the worker.js of dpo-kernels ${version}?`;

/** Starts a worker; `onEnd` is called once, when it has failed or was ended and no longer writes. */
export function startPoolWorker(launcher: Launcher, setup: Setup, limits: Limits, onEnd: () => void): PoolWorker {
  const waiting = new Set<(error: Error) => void>();
  let failure: WorkerError | undefined;
  let ending: Promise<void> | undefined;
  let link: Link | undefined;
  let isReady = false;
  let isAlive = true;

  const stop = async (why: Error): Promise<void> => {
    if (setup.gate) shut(setup.gate);
    // A worker that tells of its end while it is terminated, as Node's do in Deno, must find it ending.
    await undefined;
    if (link) await stopWorker(link.worker, link.terminate, setup.gate);
    rejectAll(why);
    onEnd();
  };
  const rejectAll = (why: Error): void => {
    for (const reject of waiting) reject(why);
    waiting.clear();
  };
  const end = (why: Error): Promise<void> => {
    failure ??= why instanceof WorkerError ? why : new WorkerError(why.message, { cause: why });
    ending ??= stop(why);
    return ending;
  };
  /** Before it is ready, nothing is asked of it but to start: there may be another way to start one. */
  const fail = (error: WorkerError): void => void (isReady || ending ? end(error) : rejectAll(error));
  const failWith = (message: string, cause?: unknown): void =>
    fail(new WorkerError(`worker: ${message}`, cause === undefined ? undefined : { cause }));

  const connect = (): Link => {
    const worker = launcher.start();
    const failed = (error: WorkerError): void => {
      if (link?.worker === worker) fail(error);
    };
    const terminate = watch(worker, failed);
    const endpoint = answersOnly(endpointOf(worker), (got) => {
      const what = `expected answers, got a message that answers nothing, ${kindOf(got)}; ${whose}`;
      failed(new WorkerError(`worker: ${what}`));
    });
    keepAlive(worker, isAlive);
    return { worker, terminate, api: wrap<WorkerApi>(endpoint) };
  };

  // comlink leaves the calls of a dead worker pending for ever: each is raced against the worker's end.
  const ask = <T>(
    call: (api: Remote<WorkerApi>) => Promise<Answer<T>>,
    isSound: Sound,
    milliseconds = limits.answer,
  ): Promise<T> =>
    new Promise<T>((resolve, reject) => {
      if (failure) return reject(failure);
      const late = (): void => failWith(`expected an answer within ${milliseconds} ms, got none`);
      // A thread that was busy for long hears of the time before it hears of an answer that has been here all along.
      let timer = setTimeout(() => {
        timer = setTimeout(late, TURN);
      }, milliseconds);
      const settle = (): void => {
        clearTimeout(timer);
        waiting.delete(lose);
      };
      const lose = (error: Error): void => {
        settle();
        reject(error);
      };
      waiting.add(lose);
      let answered: Promise<Answer<T>>;
      try {
        answered = call((link as Link).api);
      } catch (error) {
        // It could not even be put together; the worker knows nothing of it.
        lose(error as Error);
        return;
      }
      answered.then(
        (answer) => {
          if (!isAnswer(answer)) return failWith(`expected an answer, got ${kindOf(answer)}; ${whose}`);
          if ("value" in answer) {
            const wrong = isSound(answer.value);
            if (wrong) return failWith(wrong);
            settle();
            return resolve(answer.value);
          }
          // It says that it was stopped; what it was stopped for is told when it is quiet.
          if (ending) return;
          const error = fromWire(answer.error);
          if (error instanceof DpoError) return lose(error);
          // Not an error of ours: the worker is in an unknown state.
          failWith(`an error was thrown in it: ${error.message}`, error);
        },
        (cause: unknown) => {
          // What cannot be posted never reached the worker.
          if (isCloneError(cause)) lose(new WorkerError("worker: it could not be asked", { cause }));
          else failWith(`it could not be asked; ${whose}`, cause);
        },
      );
    });

  const isOurs: Sound = (got) => (got === version ? undefined : `expected ${ours}, got ${theirs(got)}`);
  const start = async (): Promise<void> => {
    for (;;) {
      try {
        link = undefined;
        link = startLink(connect);
        await ask<string>((remote) => remote.start(setup) as Promise<Answer<string>>, isOurs, limits.start);
        isReady = true;
        return;
      } catch (error) {
        const why =
          error instanceof WorkerError && !ending ? await launcher.failed(error, link?.worker) : (error as Error);
        if (why || ending) {
          await end(why ?? (error as Error));
          throw why ?? error;
        }
        link?.terminate();
      }
    }
  };
  const ready = start();
  ready.catch(() => {});
  return {
    // At once where it can be, so that the time it takes to copy counts for whoever asks.
    ask: (call, isSound) => (isReady ? ask(call, isSound) : ready.then(() => ask(call, isSound))),
    get failure() {
      return failure;
    },
    keepAlive(alive) {
      isAlive = alive;
      if (link) keepAlive(link.worker, alive);
    },
    end,
  };
}

function startLink(connect: () => Link): Link {
  try {
    return connect();
  } catch (cause) {
    throw new WorkerError(`worker: it could not be started: ${reasonIn(cause)}`, { cause });
  }
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

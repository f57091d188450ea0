// How a pool starts its workers: the caller's way; or from the file beside this one, and from its text where a bundler left the
// file behind.

import { WorkerError } from "../../errors.ts";
import { type AnyWorker, isWorkerFileThere, startFromText, startWorker, workerFile } from "./start-worker.ts";

export interface Launcher {
  start(): AnyWorker;
  /** After a worker that has not even started: undefined if there is another way, which `start` takes from then on. */
  failed(error: WorkerError): Promise<WorkerError | undefined>;
  /** What is unusual about it, in words. */
  readonly note: string;
}

const ownWay = 'createWorker: () => new Worker(new URL("dpo-kernels/worker", import.meta.url), { type: "module" })';

/** `start`: the caller's `createWorker`, or `startWorker`. */
export async function createLauncher(start: () => AnyWorker): Promise<Launcher> {
  let text: string | undefined;
  const readText = async (): Promise<boolean> => {
    text = (await import("../../worker-source.ts")).source;
    return text !== undefined;
  };
  if (start === startWorker && (await isWorkerFileThere(false)) === false) await readText();
  return {
    start: () => (text === undefined ? start() : startFromText(text)),
    async failed(error) {
      if (start !== startWorker) return error;
      if (text === undefined && (await isWorkerFileThere(true)) !== true && (await readText())) return undefined;
      const tried = text === undefined ? "its file is" : "started from its text, since there is no file";
      const message = `${error.message} (${tried} at ${workerFile().href}; to start it from elsewhere: ${ownWay})`;
      return new WorkerError(message, { cause: error.cause ?? error });
    },
    get note() {
      return text === undefined ? "" : `, started from their text: no worker's file at ${workerFile().href}`;
    },
  };
}

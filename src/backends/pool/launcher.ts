// How a pool starts its workers: the caller's way; or from the file beside this one, and from its text where a bundler left the
// file behind.

import { WorkerError } from "../../errors.ts";
import { type AnyWorker, isWorkerFileThere, startFromText, startWorker, workerFile } from "./start-worker.ts";

export interface Launcher {
  start(): AnyWorker;
  /** After a worker that has not even started: undefined if there is another way, which `start` takes from then on. */
  failed(error: WorkerError, worker: AnyWorker | undefined): Promise<WorkerError | undefined>;
  /** What is unusual about it, in words. */
  readonly note: string;
}

const ownWay = 'createWorker: () => new Worker(new URL("dpo-kernels/worker", import.meta.url), { type: "module" })';

const place = (): string => {
  const file = workerFile();
  return file ? `at ${file.href}` : "beside this one, which does not know its own address";
};

/** `start`: the caller's `createWorker`, or `startWorker`. */
export async function createLauncher(start: () => AnyWorker): Promise<Launcher> {
  let text: string | undefined;
  const readText = async (): Promise<boolean> => {
    text = (await import("../../worker-source.ts")).source;
    return text !== undefined;
  };
  if (start === startWorker && (await isWorkerFileThere(false)) === false) await readText();
  // Several may have been started before the first of them failed.
  const fromText = new WeakSet<AnyWorker>();
  let isTextRefused = false;
  let refusal = "";
  return {
    start() {
      refusal = "";
      if (text === undefined) return start();
      isTextRefused = true;
      const worker = startFromText(text);
      isTextRefused = false;
      fromText.add(worker);
      return worker;
    },
    async failed(error, worker) {
      if (start !== startWorker) return error;
      const isLast = isTextRefused || (worker !== undefined && fromText.has(worker));
      if (!isLast && (text !== undefined || ((await isWorkerFileThere(true)) !== true && (await readText())))) return;
      const tried = isLast ? "started from its text, since there is no file" : "its file is";
      const message = `${error.message} (${tried} ${place()}; to start it from elsewhere: ${ownWay})`;
      refusal = `, none of which starts: ${message}`;
      return new WorkerError(message, { cause: error.cause ?? error });
    },
    get note() {
      if (refusal) return refusal;
      return text === undefined ? "" : `, started from their text: no worker's file ${place()}`;
    },
  };
}

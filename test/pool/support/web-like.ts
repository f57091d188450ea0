// A worker as browsers have it, over one of Node's: it does not say when it has ended, and ends some time after it was told to.

import { setTimeout } from "node:timers/promises";
import { Worker } from "node:worker_threads";

type Listener = (event: { data?: unknown; message?: string; preventDefault(): void }) => void;

const file = new URL("../../../src/worker.ts", import.meta.url);

/** `lag`: how many milliseconds `terminate` takes to have an effect. */
export function webLikeWorker(
  lag: number,
  url: URL = file,
  workerData?: unknown,
): globalThis.Worker & { thread: Worker } {
  const thread = new Worker(url, { workerData });
  const listen = (type: string, listener: Listener): void => {
    if (type === "close") return;
    thread.on(type, (value: Error) => listener({ data: value, message: value?.message, preventDefault() {} }));
  };
  return {
    thread,
    postMessage: (message: unknown, moved: never) => thread.postMessage(message, moved),
    addEventListener: listen,
    removeEventListener() {},
    terminate() {
      setTimeout(lag).then(() => thread.terminate());
    },
  } as unknown as globalThis.Worker & { thread: Worker };
}

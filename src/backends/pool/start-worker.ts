// Starting a worker in every runtime, and hearing of its end in each of them.

/// <reference path="./comlink-node.d.ts" />

import type { Endpoint } from "comlink";
import nodeEndpoint from "comlink/dist/esm/node-adapter.mjs";
import { WorkerError } from "../../errors.ts";
import type { Instance } from "../../globals.ts";
import { becomesQuiet, type Gate } from "./gate.ts";
import { isNode, nodeModule } from "./node-modules.ts";
import { trusted } from "./trusted-types.ts";

/** What `createWorker` may return: a worker of the web, or of Node's `worker_threads`. */
export type AnyWorker = Instance<"Worker"> | NodeWorker;

/** The part of Node's `Worker` that is used. */
export interface NodeWorker {
  postMessage(message: unknown, transfer?: readonly unknown[]): void;
  on(event: string, listener: (value: unknown) => void): unknown;
  off(event: string, listener: (value: unknown) => void): unknown;
  terminate(): unknown;
  ref?(): void;
  unref?(): void;
}

// Node first: onnxruntime-web leaves a global Worker there that is none of the web's.
const nodeThreads = () => (isNode() ? nodeModule("node:worker_threads") : undefined);

// Cloudflare's runtime has the module of Node, but none of its workers.
const isWorkerd = (): boolean => globalThis.navigator?.userAgent === "Cloudflare-Workers";

/** Whether this place has workers. */
export const hasWorkers = (): boolean => !isWorkerd() && (nodeThreads() !== undefined || typeof Worker === "function");

// Behind a function: bundlers would take `new URL("…", import.meta.url)` for a file to copy.
const here = (): string => import.meta.url;

/** Where the worker's file lies, unless a bundler has moved it; CommonJS bundles do not know where they are. */
export function workerFile(): URL | undefined {
  try {
    return new URL("../../worker.ts", here());
  } catch {
    return undefined;
  }
}

/** Starts the worker file that lies beside this one. Bundlers know the form for the web; in Node they move no file. */
export function startWorker(): AnyWorker {
  const threads = nodeThreads();
  const file = workerFile();
  if (threads && file) return new threads.Worker(file);
  return orTrusted(file, () => new Worker(new URL("../../worker.ts", import.meta.url), { type: "module" }));
}

/** Starts a worker as it is; where a page wants trusted types, again from an address that it trusts. */
function orTrusted(address: URL | string | undefined, start: () => AnyWorker): AnyWorker {
  try {
    return start();
  } catch (error) {
    if (!address || !("trustedTypes" in globalThis)) throw error;
    return new Worker(trusted(address), { type: "module" });
  }
}

/** Starts a worker from the text of its file. Node takes no Blob, and pages seldom allow data URLs. */
export function startFromText(text: string): AnyWorker {
  const threads = nodeThreads();
  if (threads) return new threads.Worker(new URL(`data:text/javascript,${encodeURIComponent(text)}`));
  const url = URL.createObjectURL(new Blob([text], { type: "text/javascript" }));
  return orTrusted(url, () => new Worker(url, { type: "module" }));
}

/** Milliseconds that a server may take to say whether it has the worker's file: one that hangs must not have calls wait for ever. */
const HEAD_LIMIT = 5000;

/** Whether the worker's file is where it is looked for; undefined where that cannot be told, or only by `asking` a server. */
export async function isWorkerFileThere(asking: boolean): Promise<boolean | undefined> {
  const file = workerFile();
  if (!file) return false;
  try {
    if (file.protocol === "file:") return nodeModule("node:fs")?.existsSync(file);
    if (!asking) return undefined;
    const { ok, headers } = await fetch(file, { method: "HEAD", signal: AbortSignal.timeout(HEAD_LIMIT) });
    // Servers of single-page applications answer with a page.
    return ok && /javascript|typescript/.test(headers.get("content-type") ?? "");
  } catch {
    return undefined;
  }
}

const isThread = (worker: AnyWorker): worker is NodeWorker => !("addEventListener" in worker) && "on" in worker;

/** What comlink talks to. */
export const endpointOf = (worker: AnyWorker): Endpoint => (isThread(worker) ? nodeEndpoint(worker) : worker);

/** Calls `onEnd`, with the reason, when the worker is of no more use; gives what terminates it. */
export function watch(worker: AnyWorker, onEnd: (error: WorkerError) => void): () => unknown {
  const ended = (what: string) => (cause?: unknown) => onEnd(new WorkerError(`worker: ${what}`, { cause }));
  // Only a holder of this object can end a worker from outside. Browsers and Deno never say that it was, Node not before its
  // thread is gone; a call that comes in between must not be given to a dying worker.
  const terminate = worker.terminate.bind(worker);
  const terminated = ended("it was terminated");
  if (isThread(worker)) {
    worker.terminate = () => {
      terminated();
      return terminate();
    };
    worker.on("error", ended("an error was thrown in it"));
    worker.on("messageerror", ended("a message could not be read"));
    worker.on("exit", (code) => onEnd(new WorkerError(`worker: it exited with code ${code}`)));
    return terminate;
  }
  worker.terminate = terminated;
  worker.addEventListener("error", (event) => {
    // Deno ends the whole process otherwise; here the calls that the worker held are told.
    event.preventDefault();
    const { message, error } = event as ErrorEvent;
    ended(
      `an error was thrown in it, or its file could not be loaded: ${message || "no message; does a policy (worker-src) forbid it?"}`,
    )(error ?? event);
  });
  worker.addEventListener("messageerror", ended("a message could not be read"));
  // Bun tells.
  worker.addEventListener("close", ended("it exited"));
  return terminate;
}

/** Milliseconds that a worker may take to leave its task before it is terminated, and to be gone after that. */
const GRACE = 2000;

/**
 * Ends a worker, and waits until it no longer writes to shared memory. Node says when a thread is gone; elsewhere the worker
 * leaves a gate that is shut, before its next kernel. A worker that does neither in time is taken for dead once terminated.
 */
export async function stopWorker(worker: AnyWorker, terminate: () => unknown, gate: Gate | undefined): Promise<void> {
  if (isThread(worker)) {
    await within(2 * GRACE, terminate());
    return;
  }
  const isQuiet = !gate || (await becomesQuiet(gate, GRACE));
  terminate();
  if (!isQuiet) await becomesQuiet(gate, GRACE);
}

/** Waits for a promise, but no longer than so many milliseconds; how it settles does not matter. */
async function within(milliseconds: number, promise: unknown): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise((resolve) => {
    timer = setTimeout(resolve, milliseconds);
  });
  await Promise.race([promise, late]).catch(() => {});
  clearTimeout(timer);
}

/** Whether the worker keeps the process running: only while it works. Deno and browsers do not ask. */
export function keepAlive(worker: AnyWorker, alive: boolean): void {
  const { ref, unref } = worker as NodeWorker;
  (alive ? ref : unref)?.call(worker);
}

/** More than any machine that runs one process has a use for: each worker is a thread with its own engine and memory. */
export const MOST_WORKERS = 512;

/** As many workers as this machine, or this container, runs at once. */
export function workerCount(): number {
  const count = nodeModule("node:os")?.availableParallelism?.() ?? globalThis.navigator?.hardwareConcurrency ?? 1;
  return Math.min(Math.max(1, count), MOST_WORKERS);
}

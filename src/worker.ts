// The file that a worker of a pool runs. On the web it listens before anything else: a message that comes earlier would be lost.
// Node keeps messages until its port is listened to.

/// <reference path="./backends/pool/comlink-node.d.ts" />

import { type Endpoint, expose, transfer } from "comlink";
import nodeEndpoint from "comlink/dist/esm/node-adapter.mjs";
import { importNodeModules, nodeModule } from "./backends/pool/node-modules.ts";
import { serve } from "./backends/pool/serve.ts";

// Firefox does not hand the module to a worker whose file has a policy without 'wasm-unsafe-eval', and says nothing to the page.
const onUnreadable = (): void => {
  throw new Error("a message could not be read; does the policy of the worker's file allow 'wasm-unsafe-eval'?");
};

// Workers of the web, which Deno and Bun have too, post to their global; those of Node have a port.
if (typeof (globalThis as { postMessage?: unknown }).postMessage === "function") {
  const web = globalThis as unknown as Endpoint;
  expose(serve(transfer), web);
  web.addEventListener("messageerror", onUnreadable);
} else {
  void listenInNode();
}

async function listenInNode(): Promise<void> {
  await importNodeModules();
  const parent = nodeModule("node:worker_threads")?.parentPort;
  if (!parent) throw new Error("dpo-kernels/worker: expected to run in a worker, got the main thread");
  expose(serve(transfer), nodeEndpoint(parent));
  parent.on("messageerror", onUnreadable);
}

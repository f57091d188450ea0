// The file that a worker of a pool runs. It listens before anything else: a message that comes earlier would be lost.

/// <reference path="./backends/pool/comlink-node.d.ts" />

import { type Endpoint, expose, transfer } from "comlink";
import nodeEndpoint from "comlink/dist/esm/node-adapter.mjs";
import { serve } from "./backends/pool/serve.ts";

// Workers of the web, which Deno and Bun have too, post to their global; those of Node have a port.
const isWeb = typeof (globalThis as { postMessage?: unknown }).postMessage === "function";
const parent = isWeb ? undefined : process.getBuiltinModule("node:worker_threads").parentPort;
const web = globalThis as unknown as Endpoint;
expose(serve(transfer), parent ? nodeEndpoint(parent) : web);

// Firefox does not hand the module to a worker whose file has a policy without 'wasm-unsafe-eval', and says nothing to the page.
const onUnreadable = (): void => {
  throw new Error("a message could not be read; does the policy of the worker's file allow 'wasm-unsafe-eval'?");
};
if (parent) parent.on("messageerror", onUnreadable);
else web.addEventListener("messageerror", onUnreadable);

// The file that a worker of a pool runs. It listens before anything else: a message that comes earlier would be lost.

import { type Endpoint, expose, transfer } from "comlink";
import nodeEndpoint from "comlink/dist/esm/node-adapter.mjs";
import { serve } from "./pool/serve.ts";

// Workers of the web, which Deno and Bun have too, post to their global; those of Node have a port.
const isWeb = typeof (globalThis as { postMessage?: unknown }).postMessage === "function";
const parent = isWeb ? undefined : process.getBuiltinModule("node:worker_threads").parentPort;
expose(serve(transfer), parent ? nodeEndpoint(parent) : (globalThis as unknown as Endpoint));

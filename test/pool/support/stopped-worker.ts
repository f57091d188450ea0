// A worker that is at its first task when its gate is shut. It says that it was stopped, and leaves the gate a while later: so the
// pool always hears of that before it takes the worker for ended, which workers of the web leave to chance.

import { parentPort, workerData } from "node:worker_threads";
import { expose, transfer } from "comlink";
import nodeEndpoint from "comlink/dist/esm/node-adapter.mjs";
import { enter, type Gate, isShut, leave } from "../../../src/backends/pool/gate.ts";
import type { Setup } from "../../../src/backends/pool/protocol.ts";
import { serve } from "../../../src/backends/pool/serve.ts";
import { toWire } from "../../../src/backends/pool/wire-error.ts";
import { WorkerError } from "../../../src/errors.ts";

/** The first word: whether the task has begun. */
const begun = workerData as Int32Array;
let gate: Gate | undefined;

const { start, ...rest } = serve(transfer);
const api = {
  ...rest,
  start(setup: Setup) {
    gate = setup.gate;
    return start(setup);
  },
  read() {
    const own = gate as Gate;
    enter(own);
    Atomics.store(begun, 0, 1);
    while (!isShut(own)) Atomics.wait(own, 0, Atomics.load(own, 0), 1);
    setTimeout(() => leave(own), 50);
    return { error: toWire(new WorkerError("worker: it was stopped")) };
  },
};
if (parentPort) expose(api, nodeEndpoint(parentPort));

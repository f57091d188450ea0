// A worker that misbehaves on demand: the first `times` pieces of work that any worker with these orders gets.

import { parentPort, workerData } from "node:worker_threads";
import { expose, transfer } from "comlink";
import nodeEndpoint from "comlink/dist/esm/node-adapter.mjs";
import type { Answer } from "../../../src/backends/pool/protocol.ts";
import { serve } from "../../../src/backends/pool/serve.ts";
import { toWire } from "../../../src/backends/pool/wire-error.ts";
import { ParamError } from "../../../src/errors.ts";
import { type How, type Orders, words } from "./orders.ts";

const { how, control } = workerData as Orders;
const forEver = new Promise<never>(() => {});

const deeds: Record<How, () => Answer<never> | Promise<never>> = {
  throw() {
    setImmediate(() => {
      throw new RangeError("thrown on purpose", { cause: "a test" });
    });
    return forEver;
  },
  answerDefect: () => ({ error: toWire(new TypeError("a defect", { cause: new Error("below it") })) }),
  answerTyped: () => ({
    error: toWire(new ParamError("bad-id", "ids[3]: expected less", { cause: new Error("why") })),
  }),
  exit: () => process.exit(7),
  exhaust() {
    const kept: number[][] = [];
    for (;;) kept.push(Array.from({ length: 100_000 }, (_, i) => i + 0.5));
  },
  hang: () => forEver,
};

function unruly<Task, T>(work: (task: Task) => T): (task: Task) => T {
  return (task) => {
    Atomics.add(control, words.received, 1);
    Atomics.notify(control, words.received);
    Atomics.wait(control, words.closed, 1);
    if (Atomics.sub(control, words.times, 1) > 0) return deeds[how]() as T;
    const answer = work(task);
    Atomics.add(control, words.answered, 1);
    return answer;
  };
}

const { read, gradient, pairs, ...rest } = serve(transfer);
const api = { ...rest, read: unruly(read), gradient: unruly(gradient), pairs: unruly(pairs) };
if (parentPort) expose(api, nodeEndpoint(parentPort));

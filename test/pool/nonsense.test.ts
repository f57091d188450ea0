// A worker that is not ours, or another version of ours, or whose messages are garbled: the call rejects with a WorkerError that
// says so, soon, and nothing is left unhandled.

import { readFileSync } from "node:fs";
import { setTimeout } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { version } from "../../src/backends/pool/version.ts";
import { WorkerError } from "../../src/index.ts";
import type { NodeWorker } from "../../src/pool.ts";
import { errorOf, poolOf, small, wasm } from "./support/pools.ts";

const file = new URL("../../src/worker.ts", import.meta.url);
const unhandled: unknown[] = [];
const note = (error: unknown): void => void unhandled.push(error);
beforeAll(() => void process.on("unhandledRejection", note));
afterAll(() => void process.off("unhandledRejection", note));

it("the version is the package's", () => {
  const { version: of } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8"));
  expect(version).toBe(of);
});

/** A script that runs as a worker; `answer` is what it makes of a question. */
const script = (answer: string): (() => Worker) => {
  const code = `const { parentPort } = require("node:worker_threads"); parentPort.on("message", ({ id }) => { ${answer} })`;
  return () => new Worker(code, { eval: true });
};
const posts = (message: string) => script(`parentPort.postMessage(${message})`);

const foreign: [string, () => Worker, RegExp][] = [
  ["an older version", posts("{ id, type: 'RAW', value: { value: undefined } }"), /0\.1\.0.*an older version/],
  ["a newer version", posts("{ id, type: 'RAW', value: { value: '9.8.7' } }"), /0\.1\.0.*"9\.8\.7"/],
  [
    "a newer version that refuses the pool's",
    posts(
      `{ id, type: 'RAW', value: { error: { name: "WorkerError", code: "worker-failed", message: "9.8.7 and 0.1.0" } } }`,
    ),
    /9\.8\.7 and 0\.1\.0/,
  ],
  ["undefined", posts("{ id, type: 'RAW', value: undefined }"), /expected an answer, got undefined/],
  ["null", posts("{ id, type: 'RAW', value: null }"), /expected an answer, got null/],
  ["a number", posts("{ id, type: 'RAW', value: 3 }"), /expected an answer, got a number/],
  ["no error", posts("{ id, type: 'RAW', value: { error: null } }"), /expected an answer, got an object/],
  ["an unknown type", posts("{ id, type: 'COOKED', value: 1 }"), /expected an answer, got undefined/],
  ["an unknown handler", posts("{ id, type: 'HANDLER', name: 'x', value: 1 }"), /could not be asked/],
  ["another question's answer", posts("{ id: 'x', type: 'RAW', value: {} }"), /a message that answers nothing/],
  ["a string", posts("'ready'"), /a message that answers nothing, a string/],
  ["nothing, as a message", posts("null"), /a message that answers nothing, null/],
  ["no id", posts("{ ready: true }"), /a message that answers nothing, an object/],
];

describe.each(["shared", "transfer"] as const)("memory: %s", (memory) => {
  it.each(foreign)("a worker file that answers: %s", async (_what, createWorker, message) => {
    const pool = await poolOf({ workers: 1, memory, createWorker });
    const error = await errorOf(pool.logitsLoss(small));
    expect(error).toBeInstanceOf(WorkerError);
    expect(error).toMatchObject({ message: expect.stringMatching(message) });
    await pool.dispose();
    await setTimeout(5);
    expect(unhandled).toEqual([]);
  });

  const f64 = (n: number) => new Float64Array(n);
  const sums = { max: f64(15), sum: f64(15), label: f64(15), hit: new Uint8Array(8) };
  it.each<[string, unknown]>([
    ["undefined", undefined],
    ["an empty object", {}],
    ["sums that are too short", { ...sums, max: f64(3) }],
    ["sums that are too long", { ...sums, max: f64(300) }],
    ["a list for sums", { ...sums, max: Array.from(f64(15)) }],
    ["sums of another type", { ...sums, max: new Float32Array(15) }],
    ["a null", null],
    ["no hits", { ...sums, hit: undefined }],
  ])("a sound worker whose every later answer is garbled: %s", async (_what, value) => {
    let sound = true;
    const pool = await poolOf({
      workers: 1,
      memory,
      createWorker: () => garbling(() => (sound ? undefined : { value })),
    });
    const want = wasm.sequenceLogps(small);
    expect(await pool.sequenceLogps(small)).toEqual(want);
    sound = false;
    const error = await errorOf(pool.logitsLoss(small));
    expect(error).toBeInstanceOf(WorkerError);
    expect(error).toMatchObject({ message: expect.stringMatching(/^worker: .*expected|answer/) });
    sound = true;
    expect(await pool.sequenceLogps(small)).toEqual(want);
    expect(unhandled).toEqual([]);
  });
});

/** The worker; `garble` may put another value in place of an answer's. */
function garbling(garble: () => { value: unknown } | undefined): NodeWorker {
  const worker = new Worker(file);
  const on = worker.on.bind(worker);
  return Object.assign(worker, {
    on: (event: string, listener: (value: unknown) => void) =>
      on(event as "message", (message: { value?: { value?: unknown } }) => {
        const other = event === "message" ? garble() : undefined;
        listener(other ? { ...message, value: other } : message);
      }),
  }) as unknown as NodeWorker;
}

it("a script that says nothing is given up long before a minute", { timeout: 30_000 }, async () => {
  const createWorker = script("");
  const pool = await poolOf({ workers: 1, createWorker });
  const error = await errorOf(pool.sequenceLogps(small));
  expect(error).toBeInstanceOf(WorkerError);
  expect(error).toMatchObject({ message: expect.stringContaining("within 10000 ms") });
});

it("what createWorker returns is no worker", async () => {
  for (const made of [undefined, null, {}, 5, Promise.resolve(new Worker("", { eval: true }))]) {
    const pool = await poolOf({ workers: 1, createWorker: () => made as never });
    expect(await errorOf(pool.sequenceLogps(small))).toMatchObject({ name: "WorkerError", code: "worker-failed" });
  }
});

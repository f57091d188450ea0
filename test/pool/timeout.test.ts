// A worker that does not answer in time is ended and replaced; the call it held rejects.

import { Worker } from "node:worker_threads";
import { expect, it } from "vitest";
import { WorkerError } from "../../src/index.ts";
import { unrulyWorkers } from "./support/orders.ts";
import { errorOf, poolOf, small, wasm } from "./support/pools.ts";

const want = wasm.sequenceLogps(small);

it("a worker that hangs is ended, its call rejects, and the next one has a new worker", async () => {
  const { workers, createWorker, misbehave } = unrulyWorkers("hang");
  const pool = await poolOf({ workers: 1, timeout: 1500, createWorker });
  expect(await pool.sequenceLogps(small)).toEqual(want);
  misbehave(1);
  const error = await errorOf(pool.sequenceLogps(small));
  expect(error).toBeInstanceOf(WorkerError);
  expect(error).toMatchObject({ code: "worker-failed", message: expect.stringContaining("within 1500 ms") });
  expect(await pool.sequenceLogps(small)).toEqual(want);
  expect(workers).toHaveLength(2);
  await expect.poll(() => workers[0]?.threadId).toBe(-1);
});

it("a worker that never says it is ready counts as failed", async () => {
  const silent = () => new Worker("setInterval(() => {}, 1000)", { eval: true });
  const pool = await poolOf({ workers: 1, timeout: 300, createWorker: silent });
  expect(await errorOf(pool.sequenceLogps(small))).toMatchObject({ name: "WorkerError", code: "worker-failed" });
});

it("a blocked worker is ended too", async () => {
  const { createWorker, close, open } = unrulyWorkers();
  const pool = await poolOf({ workers: 1, timeout: 1500, createWorker });
  await pool.sequenceLogps(small);
  close();
  const error = await errorOf(pool.sequenceLogps(small));
  expect(error).toBeInstanceOf(WorkerError);
  open();
  expect(await pool.sequenceLogps(small)).toEqual(want);
});

// A worker that does not answer in time is ended and replaced; the call it held rejects. Time passes when a test says so, and not
// while a machine is slow to start a worker.

import { setImmediate } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { WorkerError } from "../../src/index.ts";
import { unrulyWorkers } from "./support/orders.ts";
import { errorOf, poolOf, small, wasm } from "./support/pools.ts";

const want = wasm.sequenceLogps(small);

beforeEach(() => void vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] }));
afterEach(() => void vi.useRealTimers());

/** Lets so much time pass, and a turn in which whatever has come is heard of. */
const pass = (milliseconds: number): void => void vi.advanceTimersByTime(milliseconds + 10);

it("a worker that hangs is ended, its call rejects, and the next one has a new worker", async () => {
  const { workers, createWorker, misbehave, begun } = unrulyWorkers("hang");
  const pool = await poolOf({ workers: 1, timeout: 1500, createWorker });
  expect(await pool.sequenceLogps(small)).toEqual(want);
  misbehave(1);
  let isOver = false;
  const call = errorOf(pool.sequenceLogps(small)).finally(() => {
    isOver = true;
  });
  await begun(2);
  pass(1480);
  await setImmediate();
  expect(isOver).toBe(false);
  pass(20);
  const error = await call;
  expect(error).toBeInstanceOf(WorkerError);
  expect(error).toMatchObject({ code: "worker-failed", message: expect.stringContaining("within 1500 ms") });
  expect(await pool.sequenceLogps(small)).toEqual(want);
  expect(workers).toHaveLength(2);
  // The call rejects when its worker has ended.
  expect(workers[0]?.threadId).toBe(-1);
});

it("a worker that never says it is ready counts as failed", async () => {
  const silent = () => new Worker("setInterval(() => {}, 1000)", { eval: true });
  const pool = await poolOf({ workers: 1, timeout: 300, createWorker: silent });
  const call = errorOf(pool.sequenceLogps(small));
  while (vi.getTimerCount() === 0) await setImmediate();
  pass(300);
  expect(await call).toMatchObject({ name: "WorkerError", code: "worker-failed" });
});

it("a blocked worker is ended too", async () => {
  const { createWorker, close, open, begun } = unrulyWorkers();
  const pool = await poolOf({ workers: 1, timeout: 1500, createWorker });
  await pool.sequenceLogps(small);
  close();
  const call = errorOf(pool.sequenceLogps(small));
  await begun(2);
  pass(1500);
  expect(await call).toBeInstanceOf(WorkerError);
  open();
  expect(await pool.sequenceLogps(small)).toEqual(want);
});

it("an answer that came in time is taken, though this thread was too busy to hear of it before the time was up", async () => {
  const { workers, createWorker, answered } = unrulyWorkers();
  const pool = await poolOf({ workers: 1, timeout: 1500, createWorker });
  await pool.sequenceLogps(small);
  const call = pool.sequenceLogps(small);
  while (answered() < 2) await undefined;
  vi.advanceTimersByTime(1500);
  expect(await call).toEqual(want);
  // Its worker is sound.
  expect(await pool.sequenceLogps(small)).toEqual(want);
  expect(workers).toHaveLength(1);
});

// Whatever fails, fails in the call's own promise: no rejection is left unhandled and no exception is thrown beside it.

import { setTimeout } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import { afterAll, beforeAll, expect, it } from "vitest";
import { createPool } from "../../src/pool.ts";
import type { AsyncBackend } from "../../src/types.ts";
import { type How, unrulyWorkers } from "./support/orders.ts";
import { errorOf, large, poolOf, small } from "./support/pools.ts";

const seen: unknown[] = [];
const note = (error: unknown): void => void seen.push(error);
beforeAll(() => {
  process.on("unhandledRejection", note);
  process.on("uncaughtException", note);
});
afterAll(() => {
  process.off("unhandledRejection", note);
  process.off("uncaughtException", note);
});

/** Calls of every kind at once, all of which settle. */
const settle = (pool: AsyncBackend) =>
  Promise.allSettled([pool.logitsLoss(large()), pool.logitsLoss(small), pool.sequenceLogps(small)]);

async function expectQuiet(): Promise<void> {
  await setTimeout(50);
  expect(seen).toEqual([]);
}

it.each<How>(["throw", "answerDefect", "answerTyped", "exit"])("a worker that misbehaves: %s", async (how) => {
  const { createWorker, misbehave } = unrulyWorkers(how);
  const pool = await poolOf({ createWorker });
  misbehave(3);
  await settle(pool);
  await expectQuiet();
});

it("workers that cannot be started", async () => {
  for (const createWorker of [
    () => new Worker(new URL("no-such-file.ts", import.meta.url)),
    () => {
      throw new Error("on purpose");
    },
  ]) {
    const results = await settle(await poolOf({ createWorker }));
    expect(results.map(({ status }) => status)).toEqual(["rejected", "rejected", "rejected"]);
  }
  await expectQuiet();
});

it("a timeout, aborts, refusals", async () => {
  const { createWorker, misbehave } = unrulyWorkers("hang");
  const pool = await poolOf({ createWorker, timeout: 10_000, maxQueue: 1 });
  await pool.sequenceLogps(small);
  misbehave(1);
  const controller = new AbortController();
  const calls = Array.from({ length: 6 }, () => pool.logitsLoss(small, { signal: controller.signal }));
  const results = Promise.allSettled(calls);
  controller.abort();
  await results;
  await errorOf(pool.logitsLoss({ ...small, vocab: 2 }));
  await settle(pool);
  await expectQuiet();
});

it("disposing of a pool at work, and one whose workers start", async () => {
  const pool = await createPool({ workers: 2 });
  const calls = settle(pool);
  pool[Symbol.dispose]();
  await calls;
  const other = await createPool({ workers: 2 });
  await other.logitsLoss(small);
  const more = settle(other);
  await other.dispose();
  await more;
  await expectQuiet();
});

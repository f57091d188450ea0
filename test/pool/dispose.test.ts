// dispose ends everything: workers, calls under way, calls that wait; later calls are refused.

import { setTimeout } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import { describe, expect, it } from "vitest";
import { BackendError, createRunningMean } from "../../src/index.ts";
import { createPool } from "../../src/pool.ts";
import { callOf } from "../support/call.ts";
import { unrulyWorkers } from "./support/orders.ts";
import { errorOf, large, poolOf, small } from "./support/pools.ts";
import { webLikeWorker } from "./support/web-like.ts";

const gone = { name: "BackendError", code: "disposed" };

describe.each(["shared", "transfer"] as const)("memory: %s", (memory) => {
  it("with work in flight: every call rejects, all workers end, nobody writes any more", async () => {
    const { workers, createWorker, close, begun } = unrulyWorkers();
    const pool = await poolOf({ workers: 2, memory, createWorker });
    close();
    const batch = large();
    const calls = Promise.all([
      errorOf(pool.logitsLoss(batch, { inPlace: true })),
      ...Array.from({ length: 5 }, () => errorOf(pool.sequenceLogps(small))),
    ]);
    await begun(2);
    await pool.dispose();
    for (const error of await calls) {
      expect(error).toBeInstanceOf(BackendError);
      expect(error).toMatchObject(gone);
    }
    expect(workers.map(({ threadId }) => threadId)).toEqual(workers.map(() => -1));
    expect(batch.logits).toHaveLength(large().logits.length);
  });

  it("a worker that tells of its end while it is terminated, as Node's do in Deno, is ended once", async () => {
    let terminated = 0;
    const createWorker = () => {
      const worker = new Worker(new URL("../../src/worker.ts", import.meta.url));
      const terminate = worker.terminate.bind(worker);
      worker.terminate = () => {
        terminated++;
        // Only once: otherwise it would never end.
        worker.terminate = terminate;
        worker.emit("exit", 0);
        return terminate();
      };
      return worker;
    };
    const pool = await poolOf({ workers: 2, memory, createWorker });
    await Promise.all([pool.sequenceLogps(small), pool.sequenceLogps(small)]);
    await pool.dispose();
    expect(terminated).toBe(2);
  });

  it("a call that waits for another's running mean starts nothing any more", async () => {
    const { workers, createWorker } = unrulyWorkers();
    const pool = await poolOf({ workers: 2, memory, createWorker });
    const options = { lossType: "bco_pair", rewardShift: createRunningMean() } as const;
    const calls = [1, 2].map(() => errorOf(pool.logitsLoss(small, options)));
    await pool.dispose();
    const before = workers.length;
    for (const error of await Promise.all(calls)) expect(error).toMatchObject(gone);
    expect(workers.length).toBe(before);
    expect(workers.every(({ threadId }) => threadId === -1)).toBe(true);
  });

  it("while workers start", async () => {
    const { workers, createWorker } = unrulyWorkers();
    const pool = await poolOf({ workers: 2, memory, createWorker });
    const call = errorOf(pool.logitsLoss(small));
    await new Promise((resolve) => setImmediate(resolve));
    await pool.dispose();
    expect(await call).toMatchObject(gone);
    expect(workers.every(({ threadId }) => threadId === -1)).toBe(true);
  });

  it("calls made in the same breath as dispose reject", async () => {
    const pool = await poolOf({ memory });
    const calls = [errorOf(pool.logitsLoss(small)), errorOf(pool.sequenceLogps(small))];
    const ended = pool.dispose();
    for (const error of await Promise.all(calls)) expect(error).toMatchObject(gone);
    await ended;
  });

  it("twice, and twice at once", async () => {
    const { workers, createWorker } = unrulyWorkers();
    const pool = await poolOf({ memory, createWorker });
    await pool.sequenceLogps(small);
    await Promise.all([pool.dispose(), pool.dispose()]);
    await pool.dispose();
    expect(workers.every(({ threadId }) => threadId === -1)).toBe(true);
  });

  it("the second one, too, resolves when all has ended", async () => {
    const { workers, createWorker } = unrulyWorkers();
    const pool = await poolOf({ memory, createWorker });
    await pool.sequenceLogps(small);
    pool.dispose();
    await pool.dispose();
    expect(workers.every(({ threadId }) => threadId === -1)).toBe(true);
  });

  it("calls after it are refused, by name", async () => {
    const pool = await poolOf({ memory });
    await pool.dispose();
    for (const call of ["pairLoss", "sequenceLogps", "logitsLoss"] as const) {
      const message = `${call}: the backend was disposed of`;
      expect(await errorOf(callOf(pool, call)(small))).toMatchObject({ ...gone, message });
    }
    expect(() => pool.allocate("f32", 1)).toThrow(expect.objectContaining(gone));
    expect(() => pool.free(new Float32Array(1))).toThrow(expect.objectContaining(gone));
  });

  it("`await using` waits for the end; `using` begins it", async () => {
    const first = unrulyWorkers();
    {
      await using pool = await createPool({ memory, createWorker: first.createWorker });
      await pool.sequenceLogps(small);
    }
    expect(first.workers.map(({ threadId }) => threadId)).toEqual([-1]);
    const second = unrulyWorkers();
    {
      using pool = await createPool({ memory, createWorker: second.createWorker });
      await pool.sequenceLogps(small);
    }
    const left = () => second.workers.map(({ threadId }) => threadId);
    await expect.poll(left, { timeout: 20_000 }).toEqual([-1]);
  });
});

describe("a worker of the web that is stopped in the middle of a task", () => {
  const file = new URL("support/stopped-worker.ts", import.meta.url);
  it.each([
    ["dispose", gone],
    ["terminate", { name: "WorkerError", message: expect.stringContaining("it was terminated") }],
  ] as const)("by %s: its call rejects with that reason, not with the worker's own", async (how, reason) => {
    const begun = new Int32Array(new SharedArrayBuffer(4));
    const worker = webLikeWorker(5, file, begun);
    const pool = await poolOf({ workers: 1, memory: "shared", createWorker: () => worker });
    const call = errorOf(pool.sequenceLogps(small));
    while (Atomics.load(begun, 0) === 0) await setTimeout(2);
    const ended = how === "dispose" ? pool.dispose() : worker.terminate();
    expect(await call).toMatchObject(reason);
    await ended;
  });
});

// A worker that fails rejects exactly the calls that it held, with a WorkerError that says why, and is replaced.

import { Worker } from "node:worker_threads";
import { describe, expect, it } from "vitest";
import { WorkerError } from "../../src/index.ts";
import { type How, unrulyWorkers } from "./support/orders.ts";
import { errorOf, large, poolOf, small, wasm } from "./support/pools.ts";

const want = wasm.sequenceLogps(small);
const ways: [How, RegExp, object | undefined][] = [
  ["throw", /an error was thrown in it/, { name: "RangeError", message: "thrown on purpose" }],
  ["answerDefect", /an error was thrown in it: a defect/, { name: "TypeError", message: "a defect" }],
  ["exit", /exited with code 7/, undefined],
  ["exhaust", /an error was thrown in it/, { code: "ERR_WORKER_OUT_OF_MEMORY" }],
];

function expectFailed(error: unknown, message: RegExp, cause?: object): void {
  expect(error).toBeInstanceOf(WorkerError);
  expect(error).toMatchObject({ name: "WorkerError", code: "worker-failed", message: expect.stringMatching(message) });
  if (cause) expect((error as Error).cause).toMatchObject(cause);
}

describe.each(["shared", "transfer"] as const)("memory: %s", (memory) => {
  it.each(ways)(
    "%s, in the forward pass: the call rejects, the next finds a new worker",
    async (how, message, cause) => {
      const { workers, createWorker, misbehave } = unrulyWorkers(how);
      const pool = await poolOf({ workers: 1, memory, createWorker });
      expect(await pool.sequenceLogps(small)).toEqual(want);
      misbehave(1);
      expectFailed(await errorOf(pool.logitsLoss(small)), message, cause);
      expect(await pool.sequenceLogps(small)).toEqual(want);
      expect(workers).toHaveLength(2);
    },
    20_000,
  );

  it("the calls of the other worker finish", async () => {
    const { workers, createWorker, close, open, begun } = unrulyWorkers();
    const pool = await poolOf({ workers: 2, memory, createWorker });
    close();
    const calls = [pool.sequenceLogps(small), pool.sequenceLogps(small)];
    const settled = Promise.allSettled(calls);
    await begun(2);
    await workers[0]?.terminate();
    open();
    const results = await settled;
    expect(results.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
    for (const result of results) {
      if (result.status === "rejected") expectFailed(result.reason, /it was terminated/);
      else expect(result.value).toEqual(want);
    }
    expect(await Promise.all([pool.sequenceLogps(small), pool.sequenceLogps(small)])).toEqual([want, want]);
  });

  it("all workers terminated in the middle of a large call: it rejects, and what waited finishes", async () => {
    const { workers, createWorker, close, open, begun } = unrulyWorkers();
    const pool = await poolOf({ workers: 2, memory, createWorker });
    const batch = large();
    close();
    const call = errorOf(pool.logitsLoss(batch));
    await begun(2);
    const waiting = [1, 2, 3].map(() => pool.sequenceLogps(small));
    await Promise.all(workers.map((worker) => worker.terminate()));
    open();
    expectFailed(await call, /it was terminated/);
    expect(await Promise.all(waiting)).toEqual([want, want, want]);
    expect((await pool.logitsLoss(batch)).loss).toBe(wasm.logitsLoss(batch).loss);
    expect(workers.length).toBeGreaterThan(2);
  });

  it("logits that were given away are lost with their worker: the call rejects", async () => {
    const { workers, createWorker, close, open, begun } = unrulyWorkers();
    const pool = await poolOf({ workers: 1, memory, createWorker });
    close();
    const call = errorOf(pool.logitsLoss(structuredClone(small), { transfer: true }));
    await begun(1);
    await workers[0]?.terminate();
    open();
    expectFailed(await call, /it was terminated/);
    expect(await pool.sequenceLogps(small)).toEqual(want);
  });

  it("a call that comes while a terminated worker is still ending is given to a new one", async () => {
    const { workers, createWorker } = unrulyWorkers();
    const pool = await poolOf({ workers: 1, memory, createWorker });
    await pool.sequenceLogps(small);
    const ending = workers[0]?.terminate();
    expect(await pool.sequenceLogps(small)).toEqual(want);
    expect(workers).toHaveLength(2);
    expect(await ending).toBe(1);
  });

  it("a worker that ends while it is idle is replaced without a word", async () => {
    const { workers, createWorker } = unrulyWorkers();
    const pool = await poolOf({ workers: 1, memory, createWorker });
    await pool.sequenceLogps(small);
    await workers[0]?.terminate();
    expect(await pool.sequenceLogps(small)).toEqual(want);
    expect(workers).toHaveLength(2);
  });

  it("between the passes, what the worker kept is sent again, or the call rejects; it never hangs", async () => {
    const { workers, createWorker, received, misbehave } = unrulyWorkers("exit");
    const pool = await poolOf({ workers: 1, memory, createWorker });
    const batch = { ...small, reference: { logps: new Float64Array(6) } };
    await pool.logitsLoss(batch);
    expect(received()).toBe(2);
    const still = { mean: 0, count: 0, update: () => 0, toJSON: () => ({ mean: 0, count: 0 }) };
    for (const end of [() => workers.at(-1)?.terminate(), () => misbehave(1)]) {
      // The running mean is read between the passes.
      const rewardShift = {
        ...still,
        get mean() {
          end();
          return 0;
        },
      };
      const [result] = await Promise.allSettled([pool.logitsLoss(batch, { lossType: "bco_pair", rewardShift })]);
      if (result?.status === "rejected") expectFailed(result.reason, /exited/);
      else expect(result?.value).toEqual(wasm.logitsLoss(batch, { lossType: "bco_pair", rewardShift: still }));
    }
    expect(await pool.sequenceLogps(small)).toEqual(want);
  });
});

describe("a worker that cannot be started", () => {
  it("because its file is not there", async () => {
    const missing = new URL("support/no-such-file.ts", import.meta.url);
    const pool = await poolOf({ createWorker: () => new Worker(missing) });
    for (let k = 0; k < 2; k++) {
      expectFailed(await errorOf(pool.sequenceLogps(small)), /thrown in it/, {
        message: expect.stringContaining("no-such-file"),
      });
    }
  });

  it("because createWorker throws, and then does not", async () => {
    const { createWorker } = unrulyWorkers();
    const cause = new Error("not today");
    let failures = 2;
    const pool = await poolOf({
      createWorker: () => {
        if (failures-- > 0) throw cause;
        return createWorker();
      },
    });
    for (let k = 0; k < 2; k++) {
      const error = await errorOf(pool.logitsLoss(small));
      expectFailed(error, /could not be started/);
      expect((error as Error).cause).toBe(cause);
    }
    expect(await pool.sequenceLogps(small)).toEqual(want);
  });

  it("because its file throws at once, or is no worker of ours and exits", async () => {
    for (const [code, message] of [
      ["throw new SyntaxError('at once')", /thrown in it/],
      ["process.exit(3)", /exited with code 3/],
    ] as const) {
      const pool = await poolOf({ createWorker: () => new Worker(code, { eval: true }) });
      expectFailed(await errorOf(pool.sequenceLogps(small)), message);
    }
  });
});

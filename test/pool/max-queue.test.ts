// maxQueue: as many calls as that may wait; one more is refused at once, and the others are not disturbed.

import { describe, expect, it } from "vitest";
import { BackendError } from "../../src/index.ts";
import { unrulyWorkers } from "./support/orders.ts";
import { errorOf, poolOf, small, wasm } from "./support/pools.ts";

const want = wasm.sequenceLogps(small);

describe("maxQueue", () => {
  it.each([0, 1, 3])("%d calls may wait beside those that run", async (maxQueue) => {
    const { createWorker, close, open } = unrulyWorkers();
    const pool = await poolOf({ workers: 2, maxQueue, createWorker });
    close();
    const calls = Array.from({ length: 2 + maxQueue }, () => pool.sequenceLogps(small));
    const [first, second] = await Promise.all([1, 2].map(() => errorOf(pool.sequenceLogps(small))));
    for (const error of [first, second]) {
      expect(error).toBeInstanceOf(BackendError);
      expect(error).toMatchObject({
        code: "unavailable",
        message: expect.stringContaining(`at most ${maxQueue} calls`),
      });
    }
    open();
    for (const got of await Promise.all(calls)) expect(got).toEqual(want);
    // There is room again.
    expect(await pool.sequenceLogps(small)).toEqual(want);
  });

  it("room is made by a waiting call that is aborted", async () => {
    const { createWorker, close, open } = unrulyWorkers();
    const pool = await poolOf({ workers: 2, maxQueue: 1, createWorker });
    close();
    const running = [pool.sequenceLogps(small), pool.sequenceLogps(small)];
    const controller = new AbortController();
    const waiting = errorOf(pool.sequenceLogps(small, { signal: controller.signal }));
    await expect(pool.sequenceLogps(small)).rejects.toThrow(/maxQueue/);
    controller.abort();
    expect(await waiting).toMatchObject({ code: "aborted" });
    const next = pool.sequenceLogps(small);
    open();
    for (const got of await Promise.all([...running, next])) expect(got).toEqual(want);
  });

  it("without it any number may wait", async () => {
    const pool = await poolOf();
    const calls = await Promise.all(Array.from({ length: 300 }, () => pool.sequenceLogps(small)));
    expect(calls).toHaveLength(300);
  });

  it("a refused call writes nothing", async () => {
    const { createWorker, close, open } = unrulyWorkers();
    const pool = await poolOf({ workers: 1, maxQueue: 0, createWorker });
    close();
    const running = [pool.sequenceLogps(small), pool.sequenceLogps(small)];
    const batch = structuredClone(small);
    await expect(pool.logitsLoss(batch, { inPlace: true })).rejects.toThrow(/maxQueue/);
    await expect(pool.logitsLoss(batch, { transfer: true })).rejects.toThrow(/maxQueue/);
    expect(batch).toEqual(small);
    open();
    await Promise.all(running);
  });
});

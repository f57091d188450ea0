// A signal ends its call, wherever that is: before it starts, while it waits, while workers are at it. No other call is disturbed.

import { getEventListeners } from "node:events";
import { describe, expect, it } from "vitest";
import { AbortError, createRunningMean } from "../../src/index.ts";
import { missesOfBits } from "../support/logits-results.ts";
import { unrulyWorkers } from "./support/orders.ts";
import { errorOf, large, poolOf, small, wasm } from "./support/pools.ts";

const reason = new Error("changed my mind");
const want = wasm.logitsLoss(small);

function expectAborted(error: unknown): void {
  expect(error).toBeInstanceOf(AbortError);
  expect(error).toMatchObject({ name: "AbortError", code: "aborted" });
  expect((error as Error).cause).toBe(reason);
}

describe.each(["shared", "transfer"] as const)("memory: %s", (memory) => {
  it("before: no worker sees the call, no array is touched", async () => {
    const { workers, createWorker } = unrulyWorkers();
    const pool = await poolOf({ memory, createWorker });
    const batch = structuredClone(small);
    const options = { signal: AbortSignal.abort(reason), inPlace: true };
    expectAborted(await errorOf(pool.logitsLoss(batch, options)));
    expect(batch).toEqual(small);
    expect(workers).toHaveLength(0);
  });

  it("while it waits: it leaves the queue at once, and its arrays are untouched", async () => {
    const { createWorker, close, open, begun, received } = unrulyWorkers();
    const pool = await poolOf({ workers: 2, memory, createWorker });
    close();
    const others = [pool.logitsLoss(small), pool.logitsLoss(small)];
    await begun(1);
    const controller = new AbortController();
    const batch = structuredClone(small);
    const call = errorOf(pool.logitsLoss(batch, { signal: controller.signal, inPlace: true }));
    controller.abort(reason);
    // The workers stand still: the call does not wait for them.
    expectAborted(await call);
    expect(batch).toEqual(small);
    open();
    for (const got of await Promise.all(others)) expect(missesOfBits(got, want)).toEqual([]);
    // Policy, reference and gradient of the two.
    expect(received()).toBe(6);
  });

  it("while it runs: it stops at the next shard, and the workers go on with other calls", async () => {
    const { workers, createWorker, close, open, begun, received } = unrulyWorkers();
    const pool = await poolOf({ workers: 1, memory, createWorker });
    const batch = large();
    const before = batch.logits.slice();
    await pool.logitsLoss(batch);
    const all = received();
    close();
    const controller = new AbortController();
    const call = errorOf(pool.logitsLoss(batch, { signal: controller.signal }));
    await begun(all + 1);
    controller.abort(reason);
    open();
    expectAborted(await call);
    expect(received() - all).toBeLessThan(all);
    expect(Buffer.compare(Buffer.from(batch.logits.buffer), Buffer.from(before.buffer))).toBe(0);
    expect(missesOfBits(await pool.logitsLoss(small), want)).toEqual([]);
    expect(workers).toHaveLength(1);
  });

  it("between the passes: an in-place call's arrays are whole once it has rejected, and nobody writes to them", async () => {
    const { createWorker, close, open, begun } = unrulyWorkers();
    const pool = await poolOf({ workers: 2, memory, createWorker });
    const batch = large();
    close();
    const controller = new AbortController();
    const call = errorOf(pool.logitsLoss(batch, { signal: controller.signal, inPlace: true }));
    await begun(1);
    controller.abort(reason);
    open();
    expectAborted(await call);
    expect(batch.logits.length).toBeGreaterThan(0);
    const then = batch.logits.slice();
    await pool.logitsLoss(small);
    expect(Buffer.compare(Buffer.from(batch.logits.buffer), Buffer.from(then.buffer))).toBe(0);
  });

  it("after: nothing happens, and no listener stays behind", async () => {
    const pool = await poolOf({ memory });
    const { signal, abort } = withAbort();
    const got = await pool.logitsLoss(small, { signal });
    await pool.sequenceLogps(small, { signal });
    await errorOf(pool.logitsLoss({ ...small, vocab: 3 }, { signal }));
    expect(getEventListeners(signal, "abort")).toHaveLength(0);
    abort();
    expect(missesOfBits(got, want)).toEqual([]);
    expect(missesOfBits(await pool.logitsLoss(small), want)).toEqual([]);
  });
});

it("an aborted call leaves its running mean as it was", async () => {
  const { createWorker, close, open, begun } = unrulyWorkers();
  const pool = await poolOf({ createWorker });
  const rewardShift = createRunningMean();
  const { signal, abort } = withAbort();
  close();
  const call = errorOf(pool.logitsLoss(small, { lossType: "bco_pair", rewardShift, signal }));
  await begun(1);
  abort();
  open();
  expectAborted(await call);
  expect(rewardShift.count).toBe(0);
  expect(getEventListeners(signal, "abort")).toHaveLength(0);
});

function withAbort() {
  const controller = new AbortController();
  return { signal: controller.signal, abort: () => controller.abort(reason) };
}

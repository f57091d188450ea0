// Logits of a head's shards that workers keep between the passes: they go back to the worker that formed them, and nothing of them
// is left when the call has ended, however it ends.

import { Worker } from "node:worker_threads";
import { describe, expect, it } from "vitest";
import type { LinearLossOptions } from "../../src/types.ts";
import { missesOfLinearBits, randomLinear } from "../support/linear.ts";
import { errorOf, poolOf, wasm } from "./support/pools.ts";

// Eight shards of 17 tokens × 256 ids, the last of them short.
const TOKENS = 17;
const batch = randomLinear({ pairs: 3, length: 5, vocab: 2000, width: 7, seed: 91, bias: true });
const want = wasm.linearLoss(batch, { keep: 0 });

interface Asked {
  readonly worker: number;
  readonly call: string;
  readonly task: { keep?: number; kept?: { key: number } };
}

/** Workers, and what they are asked. */
function watched() {
  const asked: Asked[] = [];
  const workers: Worker[] = [];
  const createWorker = (): Worker => {
    const worker = new Worker(new URL("../../src/worker.ts", import.meta.url));
    const number = workers.push(worker) - 1;
    const post = worker.postMessage.bind(worker);
    worker.postMessage = (message: { path?: string[]; argumentList?: { value: Asked["task"] }[] }, ...rest) => {
      const task = message.argumentList?.[0]?.value;
      if (message.path?.[0] && task) asked.push({ worker: number, call: message.path[0], task });
      post(message, ...rest);
    };
    return worker;
  };
  const of = (call: string): Asked[] => asked.filter((each) => each.call === call);
  return { asked, workers, createWorker, of };
}

describe.each(["shared", "transfer"] as const)("memory: %s", (memory) => {
  it.each([1, 2, 3])("%d workers: a shard goes back to the worker that keeps its logits", async (workers) => {
    const { asked, createWorker, of } = watched();
    const pool = await poolOf({ workers, memory, createWorker });
    for (let times = 1; times <= 3; times++) {
      asked.length = 0;
      expect(missesOfLinearBits(await pool.linearLoss(batch), want)).toEqual([]);
      const homes = new Map(
        of("forward")
          .filter(({ task }) => task.keep !== undefined)
          .map((each) => [each.task.keep, each.worker]),
      );
      expect(homes.size).toBe(8);
      const back = of("backward").map(({ task, worker }) => homes.get(task.kept?.key) === worker);
      expect(back).toEqual(Array(8).fill(true));
      expect(of("drop")).toEqual([]);
    }
  });

  it.each([
    [0, 0],
    [4 * TOKENS * 256 - 1, 0],
    [4 * TOKENS * 256 * 3, 3],
    [2 ** 40, 8],
  ])("keep: %d: so many shards", async (keep, count) => {
    const { createWorker, of } = watched();
    const pool = await poolOf({ memory, createWorker });
    expect(missesOfLinearBits(await pool.linearLoss(batch, { keep }), want)).toEqual([]);
    expect(of("forward").filter(({ task }) => task.keep !== undefined)).toHaveLength(count);
    expect(of("backward").filter(({ task }) => task.kept)).toHaveLength(count);
  });

  it("of tokens that are left, and with a reference that is read in between", async () => {
    const { createWorker, of } = watched();
    const pool = await poolOf({ memory, createWorker });
    const options: LinearLossOptions = { lossType: "sft" };
    const got = await pool.linearLoss(batch, options);
    expect(missesOfLinearBits(got, wasm.linearLoss(batch, { ...options, keep: 0 }))).toEqual([]);
    expect(of("backward").every(({ task }) => task.kept)).toBe(true);
  });

  it("where no token has a gradient, workers forget what they keep", async () => {
    const { createWorker, of } = watched();
    const pool = await poolOf({ memory, createWorker });
    await pool.linearLoss(batch, { gradScale: 0 });
    expect([of("backward").length, of("drop").length]).toEqual([0, 8]);
  });

  it("a worker that is lost between the passes: its shards are formed anew elsewhere", async () => {
    const { createWorker, workers, of } = watched();
    const pool = await poolOf({ memory, createWorker });
    await pool.linearLoss(batch);
    const before = of("forward").length;
    // The first worker goes once it has answered all of its forward pass.
    const [first] = workers as [Worker];
    let answers = 0;
    first.on("message", () => {
      answers++;
      const mine = of("forward")
        .slice(before)
        .filter(({ worker }) => worker === 0).length;
      if (answers >= mine && of("forward").length === before + 8) void first.terminate();
    });
    // Nothing was under way there.
    expect(missesOfLinearBits(await pool.linearLoss(batch), want)).toEqual([]);
    expect(workers.length).toBeGreaterThan(2);
    expect(missesOfLinearBits(await pool.linearLoss(batch), want)).toEqual([]);
  });

  it("a call that is aborted between the passes leaves nothing with the workers", async () => {
    const { createWorker, of } = watched();
    const pool = await poolOf({ memory, createWorker });
    await pool.linearLoss(batch);
    const controller = new AbortController();
    let done = 0;
    const before = { forward: of("forward").length, drop: of("drop").length };
    const onProgress = (): void => {
      if (++done === 5) controller.abort();
    };
    await errorOf(pool.linearLoss(batch, { signal: controller.signal, onProgress }));
    const kept = of("forward")
      .slice(before.forward)
      .map(({ task }) => task.keep);
    const ended = [
      ...of("drop")
        .slice(before.drop)
        .flatMap(({ task }) => task as unknown as number[]),
      ...of("backward").map(({ task }) => task.kept?.key),
    ];
    for (const key of kept) expect(ended).toContain(key);
  });
});

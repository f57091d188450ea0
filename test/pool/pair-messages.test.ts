// Pairs in memory from `allocate`: kernels use them in place, several shards come in one message, and the bits are those of any
// other memory.

import { Worker } from "node:worker_threads";
import { expect, it } from "vitest";
import type { AsyncBackend, PairLogps } from "../../src/types.ts";
import { missesBits } from "../support/compare.ts";
import { narrow, randomPairs } from "../support/pairs.ts";
import { poolOf, wasm } from "./support/pools.ts";

// Ten shards, the last one short.
const PAIRS = 9 * 65536 + 77;
const pairs = narrow(randomPairs(PAIRS, 41));

function inMemoryOf(pool: AsyncBackend) {
  const take = (values: ArrayLike<number>) => {
    const array = pool.allocate("f32", values.length);
    array.set(values);
    return array;
  };
  const inputs = Object.fromEntries(
    Object.entries(pairs).map(([name, values]) => [name, take(values as Float32Array)]),
  );
  const empty = () => pool.allocate("f32", PAIRS);
  return {
    inputs: inputs as unknown as PairLogps,
    out: { losses: empty(), gradChosen: empty(), gradRejected: empty() },
  };
}

/** A pool, and the tasks of pairs that its workers are sent. */
async function watched(workers: number) {
  const tasks: { pairs: number; per: number; resident: string[] }[] = [];
  const createWorker = (): Worker => {
    const worker = new Worker(new URL("../../src/worker.ts", import.meta.url));
    const post = worker.postMessage.bind(worker);
    worker.postMessage = (
      message: { path?: string[]; argumentList?: { value: (typeof tasks)[number] }[] },
      ...rest
    ) => {
      const task = message.argumentList?.[0]?.value;
      if (message.path?.[0] === "pairs" && task) tasks.push(task);
      post(message, ...rest);
    };
    return worker;
  };
  return { tasks, pool: await poolOf({ workers, memory: "shared", createWorker }) };
}

it.each([1, 2, 3, 8])("%d workers: one message each, the bits of one thread", async (workers) => {
  const { tasks, pool } = await watched(workers);
  for (const lossType of ["sigmoid", "sft", "ipo"] as const) {
    tasks.length = 0;
    const { inputs, out } = inMemoryOf(pool);
    const got = await pool.pairLoss(inputs, { lossType, out });
    const want = wasm.pairLoss(pairs, { lossType });
    expect(missesBits({ ...got, loss: want.loss }, want)).toEqual([]);
    expect(got.loss).toBeCloseTo(want.loss, 5);
    expect(tasks).toHaveLength(workers);
    // As evenly as whole shards go.
    const shards = tasks.map((task) => Math.ceil(task.pairs / task.per));
    expect(Math.max(...shards) - Math.min(...shards)).toBeLessThanOrEqual(1);
    expect(tasks.reduce((sum, task) => sum + task.pairs, 0)).toBe(PAIRS);
    for (const task of tasks) expect(task.resident).toEqual(expect.arrayContaining(["policyChosen", "losses"]));
  }
});

it("sums do not depend on how many shards a message has", async () => {
  const losses = new Set<number>();
  for (const workers of [1, 2, 3, 8]) {
    const { pool } = await watched(workers);
    const { inputs, out } = inMemoryOf(pool);
    const { loss, metrics } = await pool.pairLoss(inputs, { out });
    losses.add(loss).add(metrics["rewards/margins"] as number);
  }
  expect(losses.size).toBe(2);
});

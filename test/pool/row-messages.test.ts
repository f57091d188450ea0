// Logits in shared memory: each worker gets one shard of a pass, or as many as every other, and none takes long to be stopped.

import { Worker } from "node:worker_threads";
import { expect, it } from "vitest";
import { LEAST_LOGITS, MOST_LOGITS } from "../../src/backends/pool/break-even.ts";
import { cutRows } from "../../src/backends/pool/row-shards.ts";
import { missesOfBits } from "../support/logits-results.ts";
import { shared } from "../support/shared-arrays.ts";
import { large, poolOf, wasm } from "./support/pools.ts";

const vocab = 32_000;
const rowsOf = (count: number) => ({
  logits: { type: "f32" as const, data: new Float32Array(0) },
  vocab,
  rows: Int32Array.from({ length: count }, (_, k) => k),
  targets: new Int32Array(count),
  positions: count,
});

// From a few rows to 130 million logits.
const counts = [1, 2, 5, 16, 17, 64, 333, 512, 1000, 4096];

it.each([1, 2, 3, 4, 8])("%d workers: shards are as even as rows are", (workers) => {
  for (const count of counts) {
    const shards = cutRows(rowsOf(count), workers, false);
    const sizes = shards.map(({ from, to }) => to - from);
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(count);
    expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1);
    expect(Math.max(...sizes)).toBeLessThanOrEqual(Math.ceil(MOST_LOGITS / vocab));
    const isWorthMore = count >= workers && count * vocab >= workers * LEAST_LOGITS;
    if (isWorthMore) expect(shards.length % workers).toBe(0);
    if (count * vocab <= workers * MOST_LOGITS) expect(shards.length).toBeLessThanOrEqual(workers);
  }
});

it.each([1, 2, 3])("%d workers: one message of each pass, the bits of one thread", async (workers) => {
  const sent: string[] = [];
  const createWorker = (): Worker => {
    const worker = new Worker(new URL("../../src/worker.ts", import.meta.url));
    const post = worker.postMessage.bind(worker);
    worker.postMessage = (message: { path?: string[] }, ...rest) => {
      sent.push(String(message.path?.[0]));
      post(message, ...rest);
    };
    return worker;
  };
  const pool = await poolOf({ workers, memory: "shared", createWorker });
  const batch = shared(large());
  const want = wasm.logitsLoss(batch);
  expect(missesOfBits(await pool.logitsLoss(batch), want)).toEqual([]);
  for (const pass of ["read", "gradient"]) expect(sent.filter((name) => name === pass)).toHaveLength(workers);
});

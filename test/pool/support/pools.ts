// Pools for the tests: workers do even the smallest work, and every pool is disposed of when its test ends.

import { afterEach } from "vitest";
import { breakEven } from "../../../src/backends/pool/break-even.ts";
import { createWasm } from "../../../src/index.ts";
import { createPool, type PoolOptions } from "../../../src/pool.ts";
import type { AsyncBackend, LogitsBatch, Reference } from "../../../src/types.ts";
import { randomLogits } from "../../support/logits.ts";

Object.assign(breakEven, { logits: 0, products: 0, sharedPairs: 1, sortedPairs: 1 });

const made: AsyncBackend[] = [];
afterEach(async () => {
  await Promise.all(made.splice(0).map((pool) => pool.dispose()));
});

/** A pool of two workers unless told otherwise, with the same bits on every machine. */
export async function poolOf(options: PoolOptions = {}): Promise<AsyncBackend> {
  const pool = await createPool({ workers: 2, relaxed: false, ...options });
  made.push(pool);
  return pool;
}

/** What the pools are to agree with. */
export const wasm = await createWasm({ relaxed: false });

/** One shard. */
export const small = randomLogits({ pairs: 3, length: 6, vocab: 37, seed: 5 });

/** Several shards: 2 × 4 × 10 rows of logits, all of which but the last of each sequence count. */
export function large(vocab = 80_000): LogitsBatch & { logits: Float32Array; reference: Reference } {
  const [pairs, length] = [4, 10];
  const positions = 2 * pairs * length;
  const inputIds = Int32Array.from({ length: positions }, (_, i) => (i * 7919) % vocab);
  const completionMask = new Uint8Array(positions).fill(1);
  const logits = new Float32Array(positions * vocab);
  for (let i = 0; i < logits.length; i++) logits[i] = ((i * 31) % 1009) / 100;
  return {
    tokens: { pairs, length, inputIds, completionMask },
    vocab,
    logits,
    reference: { logps: new Float64Array(2 * pairs).fill(-90) },
  };
}

/** The error that a promise rejects with. */
export const errorOf = (call: Promise<unknown>): Promise<unknown> =>
  call.then(
    () => Promise.reject(new Error("nothing was rejected")),
    (error: unknown) => error,
  );

// When a call has rejected, nobody writes to its arrays: shared arrays are watched after the rejection, however it came about.

import { setTimeout } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import { describe, expect, it } from "vitest";
import { DpoError } from "../../src/index.ts";
import type { AsyncBackend } from "../../src/types.ts";
import { randomLinear } from "../support/linear.ts";
import { randomPairs } from "../support/pairs.ts";
import { shared } from "../support/shared-arrays.ts";
import { poolOf } from "./support/pools.ts";
import { webLikeWorker } from "./support/web-like.ts";

const TIMES = 4;

const floats = (length: number): Float32Array =>
  new Float32Array(new SharedArrayBuffer(4 * length) as unknown as ArrayBuffer);

/** A call into shared arrays that takes some milliseconds, and the arrays. */
type Start = (pool: AsyncBackend) => { call: Promise<unknown>; written: Float32Array[] };

const vocab = 60_000;
const tokens = 64;
const values = shared(new Float32Array(tokens * vocab).map((_, i) => (i % 97) / 10));
const logits: Start = (pool) => {
  const offsets = Int32Array.from({ length: 9 }, (_, row) => 8 * row);
  const batch = {
    tokens: { pairs: 4, offsets, targets: Int32Array.from({ length: tokens }, (_, i) => 31 * i) },
    vocab,
    logits: values,
    reference: { logps: new Float64Array(8).fill(-80) },
  };
  const out = { gradLogits: floats(values.length) };
  return { call: pool.logitsLoss(batch, { out }), written: [out.gradLogits] };
};

const [width, ids] = [64, 20_000];
const hidden = shared(randomLinear({ pairs: 2, length: 9, vocab: ids, width, seed: 3 }));
const linear: Start = (pool) => {
  const out = { gradWeight: floats(ids * width) };
  return { call: pool.linearLoss(hidden, { out }), written: [out.gradWeight] };
};

const count = 300_000;
const ratios = shared(randomPairs(count, 7));
const pairs: Start = (pool) => {
  const out = { losses: floats(count), gradChosen: floats(count), gradRejected: floats(count) };
  return { call: pool.pairLoss(ratios, { out }), written: Object.values(out) };
};

const calls: [string, Start][] = [
  ["logitsLoss", logits],
  ["linearLoss", linear],
  ["pairLoss", pairs],
];

/** What was written, in all, after a call that `end` ended had rejected. */
async function writtenAfter(start: Start, pool: AsyncBackend, end: (k: number) => unknown, k: number): Promise<number> {
  const { call, written } = start(pool);
  const settled = call.then(
    () => undefined,
    (error: unknown) => ({ error, copies: written.map((array) => array.slice()) }),
  );
  await begun(written);
  end(k);
  const rejected = await settled;
  if (!rejected) return 0;
  expect(rejected.error).toBeInstanceOf(DpoError);
  await setTimeout(30);
  return differences(written, rejected.copies);
}

function differences(now: readonly Float32Array[], then: readonly Float32Array[]): number {
  let count = 0;
  for (const [i, array] of now.entries()) {
    for (let j = 0; j < array.length; j++) if (array[j] !== then[i]?.[j]) count++;
  }
  return count;
}

// In the middle of the last pass, as well as it can be hit: the first numbers are there.
async function begun(arrays: readonly Float32Array[]): Promise<void> {
  const last = performance.now() + 2000;
  while (performance.now() < last && arrays.every((array) => array[0] === 0 && array.at(-1) === 0)) {
    await setTimeout(0);
  }
}

const file = new URL("../../src/worker.ts", import.meta.url);

/** Node's workers, and those that end late and do not say so. */
const kinds = [
  ["Node's workers", (): Worker => new Worker(file)],
  ["workers that end late without a word", () => webLikeWorker(25)],
] as const;

describe.each(kinds)("%s", (_kind, make) => {
  const made: { terminate(): unknown }[] = [];
  const createWorker = () => {
    const worker = make();
    made.push(worker);
    return worker;
  };

  it.each(calls)("%s: after dispose nothing is written", { timeout: 60_000 }, async (_name, start) => {
    let count = 0;
    for (let k = 0; k < TIMES; k++) {
      const pool = await poolOf({ workers: 2, createWorker });
      count += await writtenAfter(start, pool, () => pool.dispose(), k);
    }
    expect(count).toBe(0);
  });

  it.each(calls)("%s: once dispose resolves nothing is written", { timeout: 60_000 }, async (_name, start) => {
    for (let k = 0; k < TIMES; k++) {
      const pool = await poolOf({ workers: 2, createWorker });
      const { call, written } = start(pool);
      const settled = call.catch(() => {});
      await begun(written);
      await pool.dispose();
      const then = written.map((array) => array.slice());
      await settled;
      await setTimeout(30);
      expect(differences(written, then)).toBe(0);
    }
  });

  it.each(calls)("%s: after a worker was terminated nothing is written", { timeout: 60_000 }, async (_name, start) => {
    let count = 0;
    const pool = await poolOf({ workers: 2, createWorker });
    for (let k = 0; k < TIMES; k++) {
      count += await writtenAfter(start, pool, () => made.splice(0).map((worker) => worker.terminate()), k);
    }
    expect(count).toBe(0);
  });

  it.each(calls)("%s: after an abort nothing is written", { timeout: 60_000 }, async (_name, start) => {
    let count = 0;
    const pool = await poolOf({ workers: 2, createWorker });
    for (let k = 0; k < TIMES; k++) {
      const controller = new AbortController();
      const { signal } = controller;
      const signalled = new Proxy(pool, {
        get: (target, name: keyof AsyncBackend) => {
          const call = target[name] as (batch: object, options: object) => unknown;
          return (batch: object, options: object) => call(batch, { ...options, signal });
        },
      });
      count += await writtenAfter(start, signalled, () => controller.abort(), k);
    }
    expect(count).toBe(0);
  });

  it.each(calls)("%s: after a timeout nothing is written", { timeout: 60_000 }, async (_name, start) => {
    let count = 0;
    for (let k = 0; k < TIMES; k++) {
      const pool = await poolOf({ workers: 2, createWorker, timeout: 500 + 300 * k });
      count += await writtenAfter(start, pool, () => {}, k);
    }
    expect(count).toBe(0);
  });
});

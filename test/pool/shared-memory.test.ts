// With memory: "shared", arrays of `allocate` and views of the caller's own SharedArrayBuffers are used where they lie.

import { describe, expect, it } from "vitest";
import type { NodeWorker } from "../../src/pool.ts";
import type { LogitsLossOptions } from "../../src/types.ts";
import { missesOfBits } from "../support/logits-results.ts";
import { shared } from "../support/shared-arrays.ts";
import { unrulyWorkers } from "./support/orders.ts";
import { errorOf, large, poolOf, small, wasm } from "./support/pools.ts";

const options: LogitsLossOptions = { lossType: "ipo" };
const want = wasm.logitsLoss(small, options);
const memory = "shared";

async function poolWithArrays() {
  const pool = await poolOf({ memory });
  const inside = pool.allocate("f32", small.logits.length);
  inside.set(small.logits);
  return { pool, inside };
}

describe("in place", () => {
  it("arrays of `allocate`: the gradient stands in the caller's array", async () => {
    const { pool, inside } = await poolWithArrays();
    const got = await pool.logitsLoss({ ...small, logits: inside }, { ...options, inPlace: true });
    expect(got.gradLogits).toBe(inside);
    expect(missesOfBits({ ...got, gradLogits: inside }, want)).toEqual([]);
  });

  it("views of a SharedArrayBuffer, several shards", async () => {
    const pool = await poolOf({ memory });
    const batch = shared(large());
    const { logits } = batch;
    const got = await pool.logitsLoss(batch, { inPlace: true });
    expect(got.gradLogits).toBe(logits);
    expect(missesOfBits(got, wasm.logitsLoss(large()))).toEqual([]);
  });

  it("a gradient goes from one shared array to another, at any offset", async () => {
    const { pool, inside } = await poolWithArrays();
    const gradLogits = new Float32Array(new SharedArrayBuffer(4 * (inside.length + 3)), 12);
    const got = await pool.logitsLoss({ ...small, logits: inside }, { ...options, out: { gradLogits } });
    expect(got.gradLogits).toBe(gradLogits);
    expect(missesOfBits(got, want)).toEqual([]);
    expect(Array.from(inside)).toEqual(Array.from(small.logits));
  });
});

it("nothing of a shared array is copied on its way", async () => {
  const sent: unknown[] = [];
  const { createWorker } = unrulyWorkers();
  const watched = (): NodeWorker => {
    const worker = createWorker();
    const post = worker.postMessage.bind(worker);
    return Object.assign(worker, {
      postMessage: (message: object, move: []) => {
        sent.push(message);
        post(message, move);
      },
    });
  };
  const pool = await poolOf({ memory, createWorker: watched });
  const batch = shared(small);
  await pool.logitsLoss(batch, options);
  const buffersIn = (value: unknown): ArrayBufferLike[] => {
    if (ArrayBuffer.isView(value)) return [value.buffer];
    return typeof value === "object" && value !== null ? Object.values(value).flatMap(buffersIn) : [];
  };
  expect(buffersIn(sent)).toContain(batch.logits.buffer);
  expect(buffersIn(sent).filter((buffer) => buffer instanceof ArrayBuffer && buffer.byteLength > 1000)).toEqual([]);
});

describe("allocate and free", () => {
  it("gives zeroed arrays of shared memory, apart from each other", async () => {
    const pool = await poolOf({ memory });
    const arrays = Array.from({ length: 50 }, (_, k) => pool.allocate("f32", 100 + k).fill(k));
    for (const [k, array] of arrays.entries()) {
      expect(array.buffer).toBeInstanceOf(SharedArrayBuffer);
      expect(array.every((x) => x === k)).toBe(true);
    }
    arrays.forEach(pool.free);
    expect(pool.allocate("f32", 5000).every((x) => x === 0)).toBe(true);
  });

  it("grows where there is no room, and earlier arrays stay good, also in workers", async () => {
    const { pool, inside } = await poolWithArrays();
    const more = Array.from({ length: 5 }, () => pool.allocate("u8", 8 << 20));
    more[4]?.fill(9);
    expect(inside.length).toBe(small.logits.length);
    expect(missesOfBits(await pool.logitsLoss({ ...small, logits: inside }, options), want)).toEqual([]);
    // An array beyond what the memory was when the workers started.
    const late = pool.allocate("f32", small.logits.length + (8 << 20)).subarray(8 << 20);
    late.set(small.logits);
    const got = await pool.logitsLoss({ ...small, logits: late }, { ...options, inPlace: true });
    expect(missesOfBits(got, want)).toEqual([]);
  });

  it("gives freed memory out again", async () => {
    const pool = await poolOf({ memory });
    for (let k = 0; k < 200; k++) pool.free(pool.allocate("u8", 4 << 20));
    expect(pool.allocate("u8", 4 << 20).buffer.byteLength).toBeLessThan(16 << 20);
  });

  it("refuses what is no number of elements, or more than there is", async () => {
    const pool = await poolOf({ memory });
    expect(() => pool.allocate("f32", -1)).toThrow(expect.objectContaining({ name: "ParamError" }));
    expect(() => pool.allocate("f64" as never, 1)).toThrow(expect.objectContaining({ name: "ParamError" }));
    expect(() => pool.allocate("f32", 2 ** 40)).toThrow(expect.objectContaining({ code: expect.any(String) }));
  });
});

it("without shared memory `allocate` gives plain arrays, which work as well", async () => {
  const pool = await poolOf({ memory: "transfer" });
  const array = pool.allocate("f32", small.logits.length);
  expect(array.buffer).toBeInstanceOf(ArrayBuffer);
  array.set(small.logits);
  expect(missesOfBits(await pool.logitsLoss({ ...small, logits: array }, { ...options, inPlace: true }), want)).toEqual(
    [],
  );
  pool.free(array);
});

it("more workers than rows: each row goes to one of them, the others have nothing to do", async () => {
  const { workers, createWorker } = unrulyWorkers();
  const pool = await poolOf({ memory, workers: 16, createWorker });
  const [first] = await Promise.all([
    pool.logitsLoss(small, options),
    errorOf(pool.logitsLoss({ ...small, vocab: 2 })),
  ]);
  expect(missesOfBits(first, want)).toEqual([]);
  expect(workers.length).toBeLessThanOrEqual(2);
});

// Optimisers work on arrays of `pool.allocate` where they lie, as they do on those of `createWasm`: no copy, and the same bits.

import { afterEach, expect, it, vi } from "vitest";
import { BackendError } from "../../src/index.ts";
import { adamw, adamwState, clipGradNorm, sgd, sgdState } from "../../src/train.ts";
import { newHead, newTrainer, take } from "../support/trainer.ts";
import { poolOf, wasm } from "./support/pools.ts";

afterEach(() => vi.restoreAllMocks());

// More than one piece, the last one short.
const N = 40_003;
const start = Float32Array.from({ length: N }, (_, i) => Math.sin(i));
const slopes = [1, 2, 3].map((k) => Float32Array.from({ length: N }, (_, i) => Math.cos(k * i)));

type Arrays = { params: Float32Array; grads: Float32Array };
const optimisers = {
  adamw: (params: Float32Array, backend?: Parameters<typeof adamwState>[1]) => {
    const state = adamwState(params, backend);
    return { state, step: ({ params, grads }: Arrays) => adamw(params, grads, state, { lr: 1e-2 }) };
  },
  sgd: (params: Float32Array, backend?: Parameters<typeof sgdState>[1]) => {
    const state = sgdState(params, backend);
    return { state, step: ({ params, grads }: Arrays) => sgd(params, grads, state, { lr: 1e-2, momentum: 0.9 }) };
  },
};

it.each(["adamw", "sgd"] as const)(
  "%s and the norm: nothing is copied, though the memory grew in between",
  async (name) => {
    const pool = await poolOf({ memory: "shared" });
    const params = pool.allocate("f32", N);
    pool.free(pool.allocate("f32", 1 << 20));
    const grads = pool.allocate("f32", N);
    const { state, step } = optimisers[name](params, pool);
    const later = pool.allocate("f32", 1 << 22);
    expect(later.buffer).not.toBe(params.buffer);
    const own = { params: start.slice(), grads: new Float32Array(N) };
    const plain = optimisers[name](own.params);
    params.set(start);
    for (const slope of slopes) {
      grads.set(slope);
      own.grads.set(slope);
      const copies = vi.spyOn(Float32Array.prototype, "set");
      const norm = clipGradNorm(grads, 1);
      step({ params, grads });
      expect(copies).not.toHaveBeenCalled();
      copies.mockRestore();
      expect(norm).toBe(clipGradNorm(own.grads, 1));
      plain.step(own);
      expect(params).toEqual(own.params);
      expect(grads).toEqual(own.grads);
    }
    expect(state).toEqual(plain.state);
  },
);

it("arrays on both sides of a growth are one memory", async () => {
  const pool = await poolOf({ memory: "shared" });
  const params = pool.allocate("f32", N);
  const state = adamwState(params, pool);
  const grads = pool.allocate("f32", 1 << 22).subarray(0, N);
  expect(grads.buffer).not.toBe(params.buffer);
  params.set(start);
  grads.set(slopes[0] as Float32Array);
  const own = start.slice();
  const copies = vi.spyOn(Float32Array.prototype, "set");
  adamw(params, grads, state);
  expect(copies).not.toHaveBeenCalled();
  copies.mockRestore();
  adamw(own, slopes[0] as Float32Array, adamwState(own));
  expect(params).toEqual(own);
});

it("a training's means lie beside its head, and go back when it ends", async () => {
  const pool = await poolOf({ memory: "shared" });
  const [taken, given] = [new Set<unknown>(), new Set<unknown>()];
  const backend = {
    ...pool,
    allocate: ((type: "f32", n: number) => {
      const array = pool.allocate(type, n);
      taken.add(array);
      return array;
    }) as typeof pool.allocate,
    free: (array: Parameters<typeof pool.free>[0]) => {
      given.add(array);
      pool.free(array);
    },
  };
  const head = newHead();
  const trainer = await newTrainer({ max_steps: 2 }, { head, backend });
  await take(trainer);
  const like = [...taken].filter((array) => (array as Float32Array).length === head.weight.length);
  // A copy of the head, its gradient and two means; and the reference.
  expect(like).toHaveLength(5);
  await trainer.dispose();
  expect(given).toEqual(taken);
});

it("a training whose means find no room there has them in memory of their own", async () => {
  const pool = await poolOf({ memory: "shared" });
  const head = newHead();
  let [asked, refused] = [0, 0];
  const allocate = ((type: "f32", n: number) => {
    if (n !== head.weight.length || ++asked !== 3) return pool.allocate(type, n);
    refused++;
    throw new BackendError("out-of-memory", "allocate: no more");
  }) as typeof pool.allocate;
  const got = await take(await newTrainer({ max_steps: 2 }, { head, backend: { ...pool, allocate } }));
  expect(refused).toBe(1);
  expect(got).toEqual(await take(await newTrainer({ max_steps: 2 }, { backend: wasm })));
});

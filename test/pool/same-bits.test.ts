// The same bits for any number of workers, in shared memory or in copies: those of createWasm on one thread.

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createPool } from "../../src/pool.ts";
import type {
  AsyncBackend,
  Floats,
  LinearLossOptions,
  LogitsLossOptions,
  PairBuffers,
  PairLossOptions,
} from "../../src/types.ts";
import { missesBits } from "../support/compare.ts";
import { toBits } from "../support/half.ts";
import { missesOfLinearBits, randomLinear } from "../support/linear.ts";
import { missesOfBits, rawOf } from "../support/logits-results.ts";
import { randomPairs } from "../support/pairs.ts";
import { bitsOff, randomRows, withRow } from "../support/rows.ts";
import { shared } from "../support/shared-arrays.ts";
import { rowTypes } from "../support/variants.ts";
import { large, small, wasm } from "./support/pools.ts";

const types: Record<string, (logits: Float32Array) => Floats> = {
  f32: (logits) => logits,
  f16: (logits) => ({ f16: toBits("f16", logits) }),
  bf16: (logits) => ({ bf16: toBits("bf16", logits) }),
};

// Three shards and a bit.
const PAIRS = 3 * 65536 + 77;
const pairs = randomPairs(PAIRS, 21);
const pairOptions: [string, PairLossOptions][] = [
  ["sigmoid", { lossType: "sigmoid" }],
  ["several losses", { lossType: ["ipo", "sft", "apo_zero"], lossWeights: [1, 0.5, -2], metrics: "full" }],
  ["AOT", { lossType: ["aot", "hinge"] }],
];
const few = randomPairs(1000, 22);
const rows = randomRows(PAIRS, 24);

const big = large(40_000);
const logitsOptions: LogitsLossOptions = { lossType: ["sigmoid", "hinge"], metrics: "full", weighting: "wpo" };
const ofBig = Object.fromEntries(
  Object.entries(types).map(([type, convert]) => {
    const batch = { ...big, logits: convert(big.logits) };
    return [type, { batch, loss: wasm.logitsLoss(batch, logitsOptions), logps: wasm.sequenceLogps(batch) }];
  }),
);

// Eight shards of the vocabulary, the last one short.
const linearOptions: LinearLossOptions = { lossType: ["ipo", "sft"], metrics: "full" };
const heads = Object.fromEntries(
  [["full head", { bias: true }] as const, ["LoRA", { rank: 3 }] as const].map(([name, more]) => {
    const batch = randomLinear({ pairs: 3, length: 9, vocab: 1900, width: 21, seed: 23, ...more });
    return [name, { batch, loss: wasm.linearLoss(batch, linearOptions) }];
  }),
);

const sharedBuffers = (n: number): PairBuffers => {
  const names = ["losses", "gradChosen", "gradRejected", "chosenRewards", "rejectedRewards"];
  return shared(Object.fromEntries(names.map((name) => [name, new Float32Array(n)])));
};

describe.each(["shared", "transfer"] as const)("memory: %s", (memory) => {
  describe.each([1, 2, 3, 8])("%d workers", (workers) => {
    let pool: AsyncBackend;
    beforeAll(async () => {
      pool = await createPool({ workers, memory, relaxed: false });
    });
    afterAll(() => pool.dispose());

    it.each(Object.keys(types))("logitsLoss, %s, several shards", async (type) => {
      const { batch, loss } = ofBig[type] as (typeof ofBig)[string];
      expect(missesOfBits(await pool.logitsLoss(batch, logitsOptions), loss)).toEqual([]);
      expect(missesOfBits(await pool.logitsLoss(shared(batch), logitsOptions), loss)).toEqual([]);
    });

    it.each(Object.keys(types))("sequenceLogps, %s, several shards", async (type) => {
      const { batch, logps } = ofBig[type] as (typeof ofBig)[string];
      expect(await pool.sequenceLogps(batch)).toEqual(logps);
      expect(await pool.sequenceLogps(shared(batch))).toEqual(logps);
    });

    it.each(Object.keys(heads))("linearLoss, %s, several shards", async (name) => {
      const { batch, loss } = heads[name] as (typeof heads)[string];
      expect(missesOfLinearBits(await pool.linearLoss(batch, linearOptions), loss)).toEqual([]);
      expect(missesOfLinearBits(await pool.linearLoss(shared(batch), linearOptions), loss)).toEqual([]);
    });

    it("logitsLoss in place, and with a reference's logits", async () => {
      const want = wasm.logitsLoss(small, { lossType: "ipo" });
      for (const convert of [<T>(value: T) => structuredClone(value), shared]) {
        const batch = convert(small);
        const got = await pool.logitsLoss(batch, { lossType: "ipo", inPlace: true });
        expect(missesOfBits(got, want)).toEqual([]);
        expect(got.gradLogits).toBe(batch.logits);
      }
    });

    it.each(pairOptions)("pairLoss, %s, with everything in shared memory", async (_name, options) => {
      const out = sharedBuffers(PAIRS);
      const got = await pool.pairLoss(shared(pairs), { ...options, out });
      const want = wasm.pairLoss(pairs, options);
      expect(missesBits({ ...got, loss: want.loss }, want)).toEqual([]);
      expect(got.loss).toBeCloseTo(want.loss, 5);
      expect(got.losses).toBe(out.losses);
    });

    it.each(rowTypes)("unpairedLoss, %s, in shared memory, also with a row that has no log-ratio", async (lossType) => {
      for (const given of [rows, withRow(rows, "policy", PAIRS - 3, Number.NaN)]) {
        const out = shared({ losses: new Float32Array(PAIRS), grad: new Float32Array(PAIRS) });
        const got = await pool.unpairedLoss(shared(given), { lossType, out });
        const want = wasm.unpairedLoss(given, { lossType });
        expect(bitsOff({ ...got, loss: want.loss }, want)).toEqual([]);
        expect(got.loss).toBeCloseTo(want.loss, 5);
        expect(got.grad).toBe(out.grad);
      }
    });

    it.each(pairOptions)("pairLoss, %s, in the caller's own arrays", async (_name, options) => {
      expect(missesBits(await pool.pairLoss(few, options), wasm.pairLoss(few, options))).toEqual([]);
    });
  });

  it("sums over shards of pairs do not depend on the number of workers either", async () => {
    const losses = new Set<number>();
    for (const workers of [1, 2, 3, 8]) {
      await using pool = await createPool({ workers, memory, relaxed: false });
      const { loss, metrics } = await pool.pairLoss(shared(pairs), { out: sharedBuffers(PAIRS) });
      losses.add(loss).add(metrics["rewards/margins"] as number);
      const out = shared({ losses: new Float32Array(PAIRS), grad: new Float32Array(PAIRS) });
      const ofRows = await pool.unpairedLoss(shared(rows), { out });
      losses.add(ofRows.loss).add(ofRows.metrics["rewards/margins"] as number);
    }
    expect(losses.size).toBe(4);
  });
});

it("the batch is of several shards, and its gradient is not all zeros", () => {
  const { loss } = ofBig["f32"] as (typeof ofBig)[string];
  expect(big.logits.length).toBeGreaterThan(3 << 20);
  expect(Array.from(rawOf(loss.gradLogits)).some((x) => x !== 0)).toBe(true);
});

// What a call makes of its options travels to the workers as data: every loss of the table, with any hyperparameters, has the
// bits of createWasm there, and so has a loss with hyperparameters that the pool has never heard of.

/// <reference path="../../src/backends/pool/comlink-node.d.ts" />

import { MessageChannel } from "node:worker_threads";
import { type Endpoint, expose, transfer } from "comlink";
import nodeEndpoint from "comlink/dist/esm/node-adapter.mjs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { serve } from "../../src/backends/pool/serve.ts";
import { createRunningMean, defineLoss, losses } from "../../src/index.ts";
import { recordOfLoss } from "../../src/losses/define.ts";
import { lossTable } from "../../src/losses/index.ts";
import { pairResults } from "../../src/losses/kinds.ts";
import { createPool, type NodeWorker } from "../../src/pool.ts";
import type { AsyncBackend, PairBuffers, PairLossOptions } from "../../src/types.ts";
import { missesBits } from "../support/compare.ts";
import { randomPairs } from "../support/pairs.ts";
import { shared } from "../support/shared-arrays.ts";
import { variants } from "../support/variants.ts";
import { wasm } from "./support/pools.ts";

// Two shards, the second of a few pairs.
const PAIRS = 65536 + 9;

const buffers = (count: number): PairBuffers =>
  shared(Object.fromEntries(pairResults.map((name) => [name, new Float32Array(count)])));

let asked = 0;

/** A worker of this very thread, which has this file's table of losses and counts the pairs' shards it is asked for. */
function workerOfThisThread(): NodeWorker {
  const { port1, port2 } = new MessageChannel();
  const calls = serve(transfer);
  const pairs: typeof calls.pairs = (task) => {
    asked++;
    return calls.pairs(task);
  };
  expose({ ...calls, pairs }, nodeEndpoint(port2) as Endpoint);
  return Object.assign(port1, { terminate: () => port1.close() });
}

let pool: AsyncBackend;
beforeAll(async () => {
  pool = await createPool({ workers: 2, relaxed: false, createWorker: workerOfThisThread });
});
afterAll(() => pool.dispose());

/** `make` gives the options anew for each backend: a running mean is changed by a call. */
async function expectSameBits(count: number, make: () => PairLossOptions): Promise<void> {
  const pairs = shared(randomPairs(count, 33));
  const before = asked;
  const got = await pool.pairLoss(pairs, { ...make(), metrics: "full", out: buffers(count) });
  const want = wasm.pairLoss(pairs, { ...make(), metrics: "full", out: buffers(count) });
  expect(asked).toBeGreaterThan(before);
  // Sums of shards are added up in another order.
  expect(missesBits({ ...got, loss: want.loss }, want)).toEqual([]);
  // ORPO has no loss for the positive log-probs among these.
  if (Number.isNaN(want.loss)) expect(got.loss).toBeNaN();
  else expect(got.loss).toBeCloseTo(want.loss, 5);
}

describe("in shards", () => {
  it.each(variants.map(({ name, options }) => [name, options] as const))("%s", (_name, options) =>
    expectSameBits(PAIRS, () => options),
  );

  it.each<[string, PairLossOptions]>([
    ["weights", { lossType: ["ipo", "sft", "apo_zero"], lossWeights: [0.3, -2, 0] }],
    ["no reference", { lossType: ["sigmoid", "discopop"], referenceFree: true, beta: 2, discopopTau: 0.3 }],
    ["a sort among others", { lossType: ["aot_unpaired", "robust"], beta: 0.7, labelSmoothing: 0.2 }],
  ])("a list: %s", (_name, options) => expectSameBits(PAIRS, () => options));

  it("a running mean", () =>
    expectSameBits(PAIRS, () => ({
      lossType: ["bco_pair", "hinge"],
      rewardShift: createRunningMean({ mean: 0.4, count: 3 }),
    })));
});

// The kernel is found by the function; names and defaults of the hyperparameters are this loss's own.
const params = { sharpness: { default: 0.3, min: 0, max: 9 }, flips: { default: 0.1, min: 0, max: 1 } };
const cooled = defineLoss({ ...losses.sigmoid, id: "cooled", params });
const ranked = defineLoss({ ...losses.aot, id: "ranked", params });

describe.each([cooled, ranked])("hyperparameters that the pool has never heard of: $id", (loss) => {
  beforeAll(() => void Object.assign(lossTable, { [loss.id]: recordOfLoss(loss) }));
  afterAll(() => void delete (lossTable as Record<string, unknown>)[loss.id]);

  it.each([1, 8, 4097, PAIRS])("%i pairs", async (count) => {
    for (const values of [{}, { sharpness: 1.7, flips: 0.25 }]) {
      await expectSameBits(count, () => ({ lossType: [loss, "ipo"], lossWeights: [1, 0.5], ...values }));
    }
    const sharp = await pool.pairLoss(randomPairs(count, 33), { lossType: loss, sharpness: 1.7 } as PairLossOptions);
    const plain = await pool.pairLoss(randomPairs(count, 33), { lossType: loss });
    expect(sharp.loss).not.toBeCloseTo(plain.loss, 5);
  });
});

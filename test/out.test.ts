// `out`: buffers that a call fills and returns, and what they may share. What is refused: out-refusals.test.ts.

import { describe, expect, it } from "vitest";
import type { FloatArray, PairBuffers, PairLossOptions, PairLossResult } from "../src/types.ts";
import { onEachBackend } from "./support/backends.ts";
import { misses } from "./support/compare.ts";
import { type FullPairs, randomPairs } from "./support/pairs.ts";

const bufferNames = ["losses", "gradChosen", "gradRejected", "chosenRewards", "rejectedRewards"] as const;
const inputNames = [
  "policyChosen",
  "policyRejected",
  "referenceChosen",
  "referenceRejected",
  "chosenLengths",
  "rejectedLengths",
  "rewardMargin",
  "pairWeights",
] as const;

// More than one piece of the WebAssembly backends, and a tail: what a later piece reads must not be written by then.
const COUNT = 4096 + 7;
type Inputs = FullPairs & { pairWeights: FloatArray };
const make = (count: number): Inputs => {
  const pairs = randomPairs(count, 51);
  pairs.chosenLengths[3] = 0;
  return { ...pairs, pairWeights: Float32Array.from({ length: count }, (_, i) => (i % 5) / 4) };
};

// Two terms, so that results are added up; AOT, which reads all before anything is written, is weighed by no pair.
const options: PairLossOptions = { lossType: ["ipo", "apo_down", "sft"], lossWeights: [0.5, 2, 1], metrics: "full" };
const sortedOptions: PairLossOptions = { lossType: ["aot", "aot_unpaired"], metrics: "full" };

const bits = (got: number, want: number): number => (Object.is(got, want) ? 0 : Infinity);
const missesOfAll = (got: PairLossResult, want: PairLossResult): string[] => [
  ...misses("loss", [got.loss], [want.loss], bits),
  ...bufferNames.flatMap((name) => misses(name, got[name] as Float32Array, want[name] as Float32Array, bits)),
];
const once = <T>(make: () => T): (() => T) => {
  let made: [T] | undefined;
  return () => {
    made ??= [make()];
    return made[0];
  };
};
const buffers = (count: number): Required<PairBuffers> =>
  Object.fromEntries(bufferNames.map((name) => [name, new Float32Array(count)])) as Required<PairBuffers>;

onEachBackend((backend) => {
  it("is filled and returned", async () => {
    const pairs = make(9);
    const out = buffers(9);
    const got = await backend.pairLoss(pairs, { ...options, out });
    for (const name of bufferNames) expect(got[name]).toBe(out[name]);
    expect(missesOfAll(got, await backend.pairLoss(pairs, options))).toEqual([]);
  });

  it.each(bufferNames)("may hold %s alone: the rest is new", async (name) => {
    const pairs = make(9);
    const buffer = new Float32Array(9).fill(7);
    const got = await backend.pairLoss(pairs, { ...options, out: { [name]: buffer } });
    expect(got[name]).toBe(buffer);
    expect(missesOfAll(got, await backend.pairLoss(pairs, options))).toEqual([]);
  });

  it("gives rewards where they are named or metrics are full, and not otherwise", async () => {
    const pairs = make(9);
    const plain = await backend.pairLoss(pairs);
    expect(plain).not.toHaveProperty("chosenRewards");
    expect(plain).not.toHaveProperty("rejectedRewards");
    const named = await backend.pairLoss(pairs, { out: { chosenRewards: new Float32Array(9) } });
    expect(named).toHaveProperty("chosenRewards");
    expect(named).not.toHaveProperty("rejectedRewards");
    const { chosenRewards = [], rejectedRewards = [] } = await backend.pairLoss(pairs, { metrics: "full", beta: 0.5 });
    const reward = (policy: FloatArray, reference: FloatArray, i: number): number =>
      0.5 * ((policy[i] as number) - (reference[i] as number));
    for (let i = 0; i < 9; i++) {
      expect(chosenRewards[i]).toBeCloseTo(reward(pairs.policyChosen, pairs.referenceChosen, i), 5);
      expect(rejectedRewards[i]).toBeCloseTo(reward(pairs.policyRejected, pairs.referenceRejected, i), 5);
    }
  });

  it("results of the next call without `out` are arrays of their own", async () => {
    const pairs = make(9);
    const first = await backend.pairLoss(pairs, options);
    const kept = first.gradChosen.slice();
    const second = await backend.pairLoss(pairs, { ...options, gradScale: 3 });
    expect(second.gradChosen).not.toBe(first.gradChosen);
    expect(Array.from(first.gradChosen)).toEqual(Array.from(kept));
  });

  describe.each(bufferNames)("%s over an input", (name) => {
    const both = [options, sortedOptions].map((given) => {
      const inputs = () => ({ ...make(COUNT), ...(given === sortedOptions ? { pairWeights: undefined } : {}) });
      return { given, inputs, want: once(async () => backend.pairLoss(inputs(), given)) };
    });

    it.each(inputNames)("%s: the results are right", async (input) => {
      for (const { given, inputs, want } of both) {
        const pairs = inputs();
        if (pairs[input] === undefined) continue;
        const out = { [name]: pairs[input] as Float32Array };
        expect(missesOfAll(await backend.pairLoss(pairs, { ...given, out }), await want())).toEqual([]);
      }
    });
  });

  it("all results may go over inputs at once", async () => {
    const pairs = make(COUNT);
    const want = await backend.pairLoss(pairs, options);
    const out = Object.fromEntries(bufferNames.map((name, k) => [name, pairs[inputNames[7 - k] as keyof Inputs]]));
    expect(missesOfAll(await backend.pairLoss(pairs, { ...options, out: out as PairBuffers }), want)).toEqual([]);
  });

  it("may stand beside an input in one buffer", async () => {
    const pairs = make(8);
    const shared = new Float32Array(16);
    shared.set(pairs.policyChosen);
    const inputs = { ...pairs, policyChosen: shared.subarray(0, 8) };
    const got = await backend.pairLoss(inputs, { ...options, out: { losses: shared.subarray(8) } });
    expect(missesOfAll(got, await backend.pairLoss(pairs, options))).toEqual([]);
  });
});

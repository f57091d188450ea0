// Lengths of completions as ONNX Runtime and transformers.js count them: in a BigInt64Array.

import { expect, test } from "vitest";
import { ParamError, ShapeError } from "../src/errors.ts";
import type { PairLogps } from "../src/types.ts";
import { onEachBackend } from "./support/backends.ts";
import { randomPairs } from "./support/pairs.ts";

const pairs = randomPairs(37, 5);
const bigints = (array: ArrayLike<number>): BigInt64Array => BigInt64Array.from(Array.from(array), BigInt);
const lengths = { chosenLengths: bigints(pairs.chosenLengths), rejectedLengths: bigints(pairs.rejectedLengths) };
const options = { lossType: ["ipo", "sigmoid_norm", "sft"], metrics: "full" } as const;

onEachBackend((backend) => {
  test("the same bits as numbers, whichever of the two is one", async () => {
    const want = await backend.pairLoss(pairs, options);
    const { chosenLengths, rejectedLengths } = lengths;
    for (const given of [lengths, { chosenLengths }, { rejectedLengths }] as Partial<PairLogps>[]) {
      expect(await backend.pairLoss({ ...pairs, ...given }, options)).toStrictEqual(want);
    }
    expect(Array.from(chosenLengths, Number)).toEqual(Array.from(pairs.chosenLengths));
  });

  test("0 is an empty completion, as a number is", async () => {
    const chosenLengths = lengths.chosenLengths.with(3, 0n);
    const want = await backend.pairLoss({ ...pairs, chosenLengths: Float64Array.from(chosenLengths, Number) }, options);
    expect(want.gradChosen[3]).toBe(0);
    expect(await backend.pairLoss({ ...pairs, chosenLengths }, options)).toStrictEqual(want);
  });

  test("a negative one and another number of them are refused", async () => {
    const call = async (chosenLengths: BigInt64Array) => backend.pairLoss({ ...pairs, chosenLengths }, options);
    await expect(call(lengths.chosenLengths.with(7, -1n))).rejects.toThrow(ParamError);
    await expect(call(lengths.chosenLengths.with(7, -1n))).rejects.toThrow(
      /^chosenLengths\[7\]: expected tokens ≥ 0, got -1$/,
    );
    await expect(call(lengths.chosenLengths.subarray(1))).rejects.toThrow(ShapeError);
  });
});

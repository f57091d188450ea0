// Empty completions: a length of 0 counts as one token where lengths divide, and its gradient is exactly 0.

import { describe, expect, it } from "vitest";
import type { LengthArray, PairLogps } from "../src/types.ts";
import { onEachBackend } from "./support/backends.ts";
import { misses, missesBits, missesNear } from "./support/compare.ts";
import { lengthNames, randomPairs, withValue } from "./support/pairs.ts";
import { isLikelihood, variants } from "./support/variants.ts";

const pairs: PairLogps = randomPairs(6, 31, 6);
/** One in a register of four, one in the tail. */
const spots = [1, 5];
const withLength = (name: (typeof lengthNames)[number], length: number): PairLogps =>
  spots.reduce((inputs, at) => withValue(inputs, name, at, length), pairs);

const same = (got: number, want: number): number => (Object.is(got + 0, want + 0) ? 0 : Infinity);

onEachBackend((backend) => {
  describe.each(lengthNames)("where %s are 0", (name) => {
    const side = name === "chosenLengths" ? "gradChosen" : "gradRejected";
    const other = name === "chosenLengths" ? "gradRejected" : "gradChosen";

    it.each(variants.filter(({ loss }) => !isLikelihood(loss)))("$name has no gradient there", async ({ options }) => {
      const got = await backend.pairLoss(withLength(name, 0), options);
      const want = await backend.pairLoss(withLength(name, 1), options);
      const cleared = want[side].map((slope, i) => (spots.includes(i) ? 0 : slope));
      expect(misses(side, got[side], cleared, same)).toEqual([]);
      expect(misses(other, got[other], want[other], same)).toEqual([]);
      expect(misses("losses", got.losses, want.losses, same)).toEqual([]);
      // Without this the comparison would hold for a loss whose gradients are all 0.
      expect(want[side].some((slope) => slope !== 0)).toBe(true);
    });
  });

  describe("sft", () => {
    const tokens = (inputs: PairLogps): number => (inputs.chosenLengths as Float32Array).reduce((a, b) => a + b, 0);

    it("gives an empty completion no gradient and counts no token for it", async () => {
      const inputs = withLength("chosenLengths", 0);
      const { gradChosen } = await backend.pairLoss(inputs, { lossType: "sft" });
      const want = Array.from(gradChosen, (_, i) => (spots.includes(i) ? 0 : -1 / tokens(inputs)));
      expect(missesNear("gradChosen", gradChosen, want, 1e-7)).toEqual([]);
      expect(tokens(inputs)).toBeLessThan(tokens(pairs));
    });

    it("is 0/0 without any token, with gradients of 0", async () => {
      const zeros = new Float32Array(6);
      const got = await backend.pairLoss({ ...pairs, policyChosen: zeros, chosenLengths: zeros }, { lossType: "sft" });
      expect(got.loss).toBeNaN();
      expect(misses("gradChosen", got.gradChosen, zeros, same)).toEqual([]);
    });
  });

  it.each([Float32Array, Float64Array, Int32Array, Uint32Array])(
    "lengths are the same numbers in a %o",
    async (Type) => {
      const inputs = withLength("rejectedLengths", 0);
      const [chosenLengths, rejectedLengths] = lengthNames.map((name) => Type.from(inputs[name] as Float32Array));
      const converted = { ...inputs, chosenLengths, rejectedLengths } as PairLogps & Record<string, LengthArray>;
      const options = { lossType: ["ipo", "sft", "sigmoid_norm"] };
      expect(missesBits(await backend.pairLoss(converted, options), await backend.pairLoss(inputs, options))).toEqual(
        [],
      );
    },
  );
});

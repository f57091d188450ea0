// float16 and bfloat16 bit by bit: every number of a type is read as what it is, and gradients round to nearest, ties to even.

import { describe, expect, it } from "vitest";
import { onEachBackend } from "./support/backends.ts";
import { missesNear } from "./support/compare.ts";
import { bitsOf, fromBits, type HalfType, numberOf, numbersOf, roundTo, wrappers } from "./support/half.ts";

/** The bits of all finite numbers of a type. */
const finite = (type: HalfType): Uint16Array =>
  Uint16Array.from({ length: 65536 }, (_, half) => half).filter((half) => Number.isFinite(numberOf(type, half)));

onEachBackend((backend, kind) => {
  // Elsewhere a call costs milliseconds, and on a software GPU a row does. A prime: all kinds of numbers come.
  const every = kind === "webgpu" ? 61 : kind.startsWith("pool") ? 17 : 1;

  describe.each(Object.entries(wrappers))("%s", (_name, { type, wrap }) => {
    it.each([1, 19])("every finite number of the type is read as it is (rows of %d)", async (vocab) => {
      const bits = finite(type).filter((_, k) => kind !== "webgpu" || k % every === 0);
      const count = bits.length;
      const logits = new Uint16Array(count * vocab);
      bits.forEach((half, k) => {
        logits.fill(half, k * vocab, (k + 1) * vocab);
      });
      const tokens = { pairs: 1, offsets: Int32Array.of(0, 100, count), targets: new Int32Array(count) };
      const got = await backend.sequenceLogps({ tokens, vocab, logits: wrap(logits) });
      // A row of V equal logits x: log Σ e^x is x + ln V.
      const want = Float64Array.from(fromBits(type, bits), (x) => x + Math.log(vocab));
      expect(missesNear("logsumexp", got.logsumexp, want, 1e-15, 1e-15)).toEqual([]);
    });

    it("gradients that lie between two numbers of the type go to the nearer, ties to the even one", async () => {
      const reference = { logps: new Float64Array(2) };
      const wrong: string[] = [];
      for (const [k, exact] of betweenNumbers(type).entries()) {
        if (k % every !== 0) continue;
        // One logit has all the probability, the label none, and hinge at β = 1 has slope 1: the gradients of the two are
        // exactly ±gradScale.
        const [most, label] = [k % 16, (k + 5) % 16];
        const bits = new Uint16Array(32).fill(bitsOf(type, -200));
        bits[most] = 0;
        bits[16 + most] = 0;
        const tokens = { pairs: 1, offsets: Int32Array.of(0, 1, 2), targets: Int32Array.of(label, label) };
        const options = { lossType: "hinge", beta: 1, gradScale: exact } as const;
        const batch = { tokens, vocab: 16, logits: wrap(bits), reference };
        const got = numbersOf((await backend.logitsLoss(batch, options)).gradLogits);
        const want = roundTo(type, exact);
        const at = [most, 16 + label, 16 + most, label].map((i) => got[i] as number);
        // Beside the label, what float32 has as a denormal or as one of its least normal numbers may come out as 0.
        const others = exact < 2 ** -125 && at[0] === 0 && at[2] === 0 ? 0 : want;
        if (at[0] === others && at[1] === want && at[2] === -others && at[3] === -want) continue;
        wrong.push(`${exact}: got ${at}, want ±${want}`);
      }
      expect(wrong.slice(0, 8)).toEqual([]);
    });
  });
});

/** Numbers of float32 at, beside and between the numbers of a type, over its whole range and beyond it. */
function betweenNumbers(type: HalfType): number[] {
  const infinity = bitsOf(type, Infinity);
  const found: number[] = type === "f16" ? [65519.99, 65520, 1e5] : [3.39e38, 3.39617752e38, 3.3961778e38, 3.4e38];
  for (let half = 1; half < infinity - 1; half += type === "f16" ? 61 : 67) {
    const [low, high] = [numberOf(type, half), numberOf(type, half + 1)];
    const middle = low + (high - low) / 2;
    for (const x of [low, middle, middle * (1 + 2 ** -20), middle * (1 - 2 ** -20)]) found.push(x);
  }
  return found.map(Math.fround);
}

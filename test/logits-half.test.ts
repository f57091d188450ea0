// float16 and bfloat16 logits: read as the float32 numbers that they are, gradients rounded to nearest, ties to even.

import { describe, expect, it } from "vitest";
import type { Floats, LogitsLossOptions } from "../src/types.ts";
import { onEachBackend } from "./support/backends.ts";
import { excessOver, misses, missesNear } from "./support/compare.ts";
import { fromBits, type HalfType, numbersOf, roundTo, toBits, wrappers } from "./support/half.ts";
import { asBigInts, layouts, packTokens, randomLogits } from "./support/logits.ts";

const shapes = [
  { pairs: 2, length: 7, vocab: 67, seed: 71 },
  { pairs: 3, length: 5, vocab: 1029, seed: 72, spread: 6 },
  { pairs: 1, length: 3, vocab: 20011, seed: 73 },
];

// Gradients in the ordinary range of float16, among its subnormals, and beyond it.
const scales = [1, 2 ** -16, 2 ** 20];

const options: LogitsLossOptions = { lossType: ["sigmoid", "sft"], metrics: "full" };

/** Whether `got` is the rounding of a number within one part in 2^22 of `exact`. */
const isRounded = (type: HalfType) => (got: number, exact: number) => {
  const [a, b] = [roundTo(type, exact * (1 - 2 ** -22)), roundTo(type, exact * (1 + 2 ** -22))];
  return got >= Math.min(a, b) && got <= Math.max(a, b) ? 0 : Infinity;
};

// Each batch in halves, and those as float32.
const prepare = (type: HalfType) =>
  shapes.map((shape) => {
    const { batch } = layouts[shape.pairs === 3 ? "packed" : "padded"](randomLogits(shape));
    const policy = toBits(type, batch.logits);
    const reference = toBits(type, batch.reference.logits);
    const widened = {
      ...batch,
      logits: fromBits(type, policy),
      reference: { logits: fromBits(type, reference) },
    };
    return { batch, policy, reference, widened };
  });
const prepared = { f16: prepare("f16"), bf16: prepare("bf16") };

onEachBackend((backend) => {
  describe.each(Object.entries(wrappers))("%s", (_name, { type, wrap }) => {
    const sound = prepared[type].map(({ batch, policy, reference, widened }) => {
      const halves = { ...batch, logits: wrap(policy), reference: { logits: wrap(reference) } };
      return [batch.vocab, halves, widened] as const;
    });

    it.each(sound)("V = %d: the forward pass is that of the widened logits", async (_vocab, halves, widened) => {
      const got = await backend.logitsLoss(halves, options);
      const want = await backend.logitsLoss(widened, options);
      expect([
        ...missesNear("loss", [got.loss], [want.loss], 1e-6),
        ...missesNear("logps", got.logps, want.logps, 1e-6),
        ...missesNear("tokenLogps", got.tokenLogps, want.tokenLogps, 1e-6),
        ...missesNear("logsumexp", got.logsumexp, want.logsumexp, 1e-6),
        ...missesNear("gradChosen", got.gradChosen, want.gradChosen, 1e-6),
        ...Object.entries(want.metrics).flatMap(([key, value]) =>
          missesNear(key, [got.metrics[key] as number], [value], 1e-6, 1e-9),
        ),
      ]).toEqual([]);
    });

    it.each(sound)("V = %d: gradients are the float32 ones, rounded", async (_vocab, halves, widened) => {
      for (const gradScale of scales) {
        const got = await backend.logitsLoss(halves, { ...options, gradScale });
        const want = (await backend.logitsLoss(widened, { ...options, gradScale })).gradLogits as Float32Array;
        expect(misses("gradLogits", numbersOf(got.gradLogits), want, isRounded(type))).toEqual([]);
      }
    });

    it.each(sound)('V = %d: gradType "f32" gives the float32 gradients', async (_vocab, halves, widened) => {
      const got = (await backend.logitsLoss(halves, { ...options, gradType: "f32" })).gradLogits;
      const want = (await backend.logitsLoss(widened, options)).gradLogits as Float32Array;
      expect(got).toBeInstanceOf(Float32Array);
      expect(missesNear("gradLogits", got as Float32Array, want, 2 ** -22)).toEqual([]);
    });

    it("gradients come in the form of the logits", async () => {
      const [[, halves] = []] = sound;
      if (!halves) throw new Error("no batch");
      const { gradLogits } = await backend.logitsLoss(halves);
      const form = (floats: Floats): unknown => [
        Object.prototype.toString.call(floats),
        ...(ArrayBuffer.isView(floats) ? [] : Object.keys(floats)),
      ];
      expect(form(gradLogits)).toEqual(form(halves.logits));
    });

    it("inPlace overwrites the bits of the logits with those of the gradient", async () => {
      const [, [, halves] = []] = sound;
      if (!halves) throw new Error("no batch");
      const want = numbersOf((await backend.logitsLoss(halves, options)).gradLogits);
      const before = numbersOf(halves.logits);
      const logits = wrap(toBits(type, before));
      const got = await backend.logitsLoss({ ...halves, logits }, { ...options, inPlace: true });
      expect(got.gradLogits).toBe(logits);
      expect(misses("gradLogits", numbersOf(logits), want, (g, w) => excessOver(0, g, w))).toEqual([]);
    });
  });

  it("BigInt64Array tokens and half logits go together", async () => {
    const padded = randomLogits({ pairs: 2, length: 6, vocab: 33, seed: 74 });
    const { offsets, targets } = packTokens(padded.tokens);
    const { batch } = layouts.packed(padded);
    const logits = { bf16: toBits("bf16", batch.logits) };
    const reference = { logps: new Float64Array(4) };
    const big = { pairs: 2, offsets: asBigInts(offsets), targets: asBigInts(targets) };
    const got = await backend.logitsLoss({ tokens: big, vocab: 33, logits, reference });
    const want = await backend.logitsLoss({ tokens: { pairs: 2, offsets, targets }, vocab: 33, logits, reference });
    expect(got).toEqual(want);
  });
});

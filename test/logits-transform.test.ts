// logitScale, logitSoftcap and temperature: every call that sees logits, every element type, on every backend, against the same
// call on logits that were transformed in float64 beforehand, and its gradient taken through the transform.

import { describe, expect, it } from "vitest";
import { createJs, ParamError } from "../src/index.ts";
import type { Floats, LogitOptions, LogitsLossOptions } from "../src/types.ts";
import { onEachBackend } from "./support/backends.ts";
import { excessOver, magnitude, misses, missesNear, missesSame } from "./support/compare.ts";
import { numbersOf, toBits } from "./support/half.ts";
import { gradientsOf, logitsOf, missesOfLinearBits, randomLinear } from "./support/linear.ts";
import { randomLogits } from "./support/logits.ts";
import { slopeOf, transformOf, transforms } from "./support/transforms.ts";

const js = createJs();

const types: Record<string, (logits: Float32Array) => Floats> = {
  f32: (logits) => logits,
  f16: (logits) => ({ f16: toBits("f16", logits) }),
  bf16: (logits) => ({ bf16: toBits("bf16", logits) }),
};

const asNumbers = (floats: Floats): Float32Array => Float32Array.from(numbersOf(floats));

// Several blocks of the kernels, and a rest; logits of a standard deviation of 2.5 reach well into a cap of 1.5.
const long = randomLogits({ pairs: 1, length: 4, vocab: 16_411, seed: 71 });
const short = randomLogits({ pairs: 3, length: 7, vocab: 37, seed: 72, holes: 0.2 });

const lossOptions: LogitsLossOptions = { lossType: ["sigmoid", "sft"], lossWeights: [1, 0.5], metrics: "full" };

function expectedOf(call: { logits: Floats; reference: { logits: Floats } } & object, transform: LogitOptions) {
  const given = asNumbers(call.logits);
  const apply = (floats: Floats) => asNumbers(floats).map((x) => transformOf(transform, x));
  const batch = { ...call, logits: apply(call.logits), reference: { logits: apply(call.reference.logits) } };
  const result = js.logitsLoss(batch as never, lossOptions);
  const gradient = (result.gradLogits as Float32Array).map((g, i) => g * slopeOf(transform, given[i] as number));
  return { result, gradient };
}

onEachBackend((backend) => {
  describe.each(Object.entries(transforms))("%s", (_name, transform) => {
    describe.each(Object.entries(types))("%s", (type, convert) => {
      it.each([
        ["short rows", short],
        ["long rows", long],
      ])("logitsLoss, %s", async (_rows, plain) => {
        const call = {
          ...plain,
          logits: convert(plain.logits),
          reference: { logits: convert(plain.reference.logits) },
        };
        const { result, gradient } = expectedOf(call, transform);
        const got = await backend.logitsLoss(call, { ...lossOptions, ...transform });
        const wide = await backend.logitsLoss(call, { ...lossOptions, ...transform, gradType: "f32" });
        // Of a half type half a unit in the last place more.
        const ulp = type === "f32" ? 0 : type === "f16" ? 2 ** -11 : 2 ** -8;
        const bound = 1e-5 * magnitude(gradient);
        expect([
          ...missesNear("loss", [got.loss], [result.loss], 1e-5, 2e-6),
          ...missesNear("logps", got.logps, result.logps, 1e-6, 2e-6),
          ...missesNear("tokenLogps", got.tokenLogps, result.tokenLogps, 1e-6, 2e-6),
          ...missesNear("logsumexp", got.logsumexp, result.logsumexp, 1e-6, 2e-6),
          ...misses("gradLogits", numbersOf(got.gradLogits), gradient, (g, w) =>
            excessOver(bound + ulp * Math.abs(w) + (type === "f16" ? 2 ** -25 : 0), g, w),
          ),
          ...misses("gradLogits in float32", wide.gradLogits as Float32Array, gradient, (g, w) =>
            excessOver(bound, g, w),
          ),
          ...Object.entries(result.metrics).flatMap(([key, want]) =>
            missesNear(key, [got.metrics[key] as number], [want], 1e-5, 3e-6),
          ),
        ]).toEqual([]);
      });
    });

    it("sequenceLogps gives the log-probs of logitsLoss", async () => {
      const { reference: _, ...batch } = short;
      const got = await backend.sequenceLogps(batch, { ...transform, metrics: "full" });
      const want = await backend.logitsLoss(short, { ...lossOptions, ...transform });
      expect(got.logps).toEqual(want.logps);
      expect(got.metrics["entropy"]).toBe(want.metrics["entropy"]);
    });

    it("a gradient goes over its logits, scaled", async () => {
      const want = await backend.logitsLoss(short, { ...lossOptions, ...transform, gradScale: 8 });
      const logits = short.logits.slice();
      const got = await backend.logitsLoss(
        { ...short, logits },
        { ...lossOptions, ...transform, gradScale: 8, inPlace: true },
      );
      expect(got.gradLogits).toBe(logits);
      expect(missesSame("gradLogits", logits, want.gradLogits as Float32Array)).toEqual([]);
    });

    it("policy and reference of the same logits are the same number", async () => {
      const got = await backend.logitsLoss(
        { ...long, reference: { logits: long.logits } },
        { ...transform, lossType: "sigmoid" },
      );
      expect(got.metrics["rewards/margins"]).toBe(0);
      expect(got.loss).toBeCloseTo(Math.LN2, 6);
    });

    it.each([
      ["a full head", { bias: true }],
      ["an adapter", { rank: 3 }],
      ["a long vocabulary", { vocab: 700 }],
    ] as const)("linearLoss is logitsLoss on the logits of %s", async (_head, more) => {
      const call = randomLinear({ pairs: 2, length: 6, vocab: 150, width: 13, seed: 73, ...more });
      const { vocab, hiddenSize } = call;
      const logits = logitsOf(call, vocab, hiddenSize);
      const given = { logits: logitsOf(call.reference, vocab, hiddenSize) };
      const options = { ...lossOptions, ...transform };
      const want = js.logitsLoss({ tokens: call.tokens, vocab, logits, reference: given }, options);
      const got = await backend.linearLoss(call, options);
      const near = (name: "loss" | "entropy" | "mean_token_accuracy") =>
        name === "loss" ? [[got.loss], [want.loss]] : [[got.metrics[name]], [want.metrics[name]]];
      expect([
        ...missesNear("logps", got.logps, want.logps, 1e-6, 4e-6),
        ...(["loss", "entropy", "mean_token_accuracy"] as const).flatMap((name) => {
          const [mine, yours] = near(name) as [number[], number[]];
          return missesNear(name, mine, yours, 1e-5, 2e-6);
        }),
      ]).toEqual([]);
      // gradHidden = gradLogits·W is linear: against the js backend, whose own is held by trl-1.16-head.json.
      const exact = gradientsOf(js.linearLoss(call, options));
      for (const [name, values] of Object.entries(gradientsOf(got))) {
        const bound = 2e-5 * magnitude(exact[name] as ArrayLike<number>);
        expect(misses(name, values, exact[name] as ArrayLike<number>, (g, w) => excessOver(bound, g, w))).toEqual([]);
      }
    });
  });

  describe("edges", () => {
    const tokens = {
      pairs: 1,
      offsets: Int32Array.of(0, 3, 4),
      targets: Int32Array.of(1, 0, 3, 2),
    };
    const vocab = 5;

    it("the first of the greatest transformed logits is the most likely, whatever they were before", async () => {
      // Saturated at the cap they are equal.
      const logits = Float32Array.of(100, 200, 0, 300, 1, 100, 200, 0, 300, 1, 100, 1, 0, 50, 1, 0, 0, 90, 80, 0);
      const got = await backend.sequenceLogps({ tokens, vocab, logits }, { logitSoftcap: 1 });
      expect(got.metrics["mean_token_accuracy"]).toBeCloseTo(1 / 3, 12);
      const plain = await backend.sequenceLogps({ tokens, vocab, logits });
      expect(plain.metrics["mean_token_accuracy"]).toBe(0);
    });

    it("no log-prob is above 0", async () => {
      const sure = Float32Array.from({ length: 4 * vocab }, (_, i) => {
        const [k, v] = [Math.floor(i / vocab), i % vocab];
        return v === [1, 0, 3, 2][k] ? 97.3 + k : -250.7;
      });
      for (const transform of [...Object.values(transforms), { logitScale: 0.9, temperature: 0.3 }]) {
        const got = await backend.sequenceLogps({ tokens, vocab, logits: sure }, transform);
        expect(Math.max(...got.tokenLogps)).toBeLessThanOrEqual(0);
        expect(Math.max(...got.logps)).toBeLessThanOrEqual(0);
      }
    });

    it("a masked logit keeps its gradient of 0 under a scale; under a cap it is at the cap, and flat there", async () => {
      const logits = Float32Array.from({ length: 4 * vocab }, (_, i) => (i % vocab === 4 ? -Infinity : Math.sin(i)));
      const reference = { logps: Float64Array.of(-3, -2) };
      for (const transform of [{ logitScale: 2 }, { temperature: 0.5 }, { logitSoftcap: 3 }]) {
        const { gradLogits, loss } = await backend.logitsLoss({ tokens, vocab, logits, reference }, transform);
        expect(Number.isFinite(loss)).toBe(true);
        const gradient = Array.from(gradLogits as Float32Array);
        expect(gradient.every((g, i) => Number.isFinite(g) && (i % vocab !== 4 || Math.abs(g) === 0))).toBe(true);
        expect(gradient.some((g) => g !== 0)).toBe(true);
      }
    });

    it("an infinite gradient is 0 where the cap is flat", async () => {
      const logits = Float32Array.from({ length: 4 * vocab }, (_, i) => [1e4, -1e4, 0, 0.5, -1][i % vocab] as number);
      const reference = { logps: Float64Array.of(-3, -2) };
      const options = { logitSoftcap: 2, gradScale: 3e38, lossType: "hinge", beta: 50 } as const;
      const { gradLogits } = await backend.logitsLoss({ tokens, vocab, logits, reference }, options);
      const gradient = Array.from(gradLogits as Float32Array);
      expect(gradient.filter((_, i) => i % vocab < 2).every((g) => Math.abs(g) === 0)).toBe(true);
      expect(gradient.every((g) => !Number.isNaN(g))).toBe(true);
    });

    it("a NaN makes its own row NaN and no other", async () => {
      const logits = Float32Array.from({ length: 4 * vocab }, (_, i) => Math.cos(i));
      logits[2 * vocab + 1] = Number.NaN;
      for (const transform of [{ logitSoftcap: 2 }, { logitScale: 2 }]) {
        const { tokenLogps } = await backend.sequenceLogps({ tokens, vocab, logits }, transform);
        expect(Array.from(tokenLogps, Number.isNaN)).toEqual([false, false, true, false]);
      }
    });
  });

  it("options that ask for nothing give the very bits", async () => {
    const options = { logitScale: 1, temperature: 1, logitSoftcap: undefined };
    const [got, want] = [await backend.logitsLoss(short, options), await backend.logitsLoss(short)];
    expect(got).toEqual(want);
    const call = randomLinear({ pairs: 2, length: 5, vocab: 150, width: 9, seed: 74 });
    expect(missesOfLinearBits(await backend.linearLoss(call, options), await backend.linearLoss(call))).toEqual([]);
  });

  describe.each(["logitScale", "logitSoftcap", "temperature"])("%s", (name) => {
    it.each([0, -1, Number.NaN, Infinity, -Infinity, 1e-42, 1e39, null, "2", [1]])("refuses %j", async (value) => {
      const options = { [name]: value } as LogitOptions;
      const { reference: _, ...batch } = short;
      const linear = randomLinear({ pairs: 1, length: 4, vocab: 9, width: 3, seed: 75 });
      const call = async (run: () => unknown) => run();
      await expect(call(() => backend.sequenceLogps(batch, options))).rejects.toThrow(name);
      await expect(call(() => backend.logitsLoss(short, options))).rejects.toThrow(name);
      await expect(call(() => backend.linearLoss(linear, options))).rejects.toThrow(name);
    });

    it("is refused by pairLoss, which has no logits", async () => {
      const two = Float32Array.of(-1, -2);
      const pairs = { policyChosen: two, policyRejected: two, referenceChosen: two, referenceRejected: two };
      const call = async () => backend.pairLoss(pairs, { [name]: 2 } as object);
      await expect(call()).rejects.toThrow(ParamError);
      await expect(call()).rejects.toThrow(`${name}: not used by pairLoss`);
    });
  });
});

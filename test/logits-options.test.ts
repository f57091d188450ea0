// Options of the calls that see logits, one by one: LD-DPO with either reference, WPO, sft, gradScale, the running mean,
// onProgress, validate.

import { describe, expect, it } from "vitest";
import { createRunningMean } from "../src/index.ts";
import type { LogitsLossOptions } from "../src/types.ts";
import { onEachBackend } from "./support/backends.ts";
import { missesNear, missesSame } from "./support/compare.ts";
import { bitsOf, toBits, wrappers } from "./support/half.ts";
import { countingRows, packTokens, randomLogits } from "./support/logits.ts";
import { missesOfBits } from "./support/logits-results.ts";
import { batchOfRows } from "./support/logits-rows.ts";

const padded = randomLogits({ pairs: 3, length: 8, vocab: 23, seed: 131, holes: 0.2 });
const { tokens, vocab, logits, reference } = padded;

onEachBackend((backend) => {
  const run = (options: LogitsLossOptions) => backend.logitsLoss(padded, options);

  describe("ldAlpha", () => {
    it.each([0, 0.5, 1])("%d: reference log-probs that carry it give what the reference's logits give", (ldAlpha) => {
      const { logps } = backend.sequenceLogps({ tokens, vocab, logits: reference.logits }, { ldAlpha });
      const options = { lossType: ["sigmoid", "ipo"], ldAlpha } as const;
      const got = backend.logitsLoss({ ...padded, reference: { logps } }, options);
      expect(missesOfBits(got, run(options))).toEqual([]);
    });

    it("1 is off", () => {
      expect(missesOfBits(run({ ldAlpha: 1 }), run({}))).toEqual([]);
    });

    it("weighs what lies beyond the shorter completion of the pair", () => {
      const row = (id: number) => ({ logits: [0.5, 1, -1], id });
      const batch = batchOfRows([{ chosen: [row(0), row(1), row(2)], rejected: [row(1)] }]);
      const [a, b, c] = backend.sequenceLogps(batch).tokenLogps as Float32Array;
      for (const ldAlpha of [0, 0.25, 1]) {
        const { logps } = backend.sequenceLogps(batch, { ldAlpha });
        const want = [(a as number) + ldAlpha * ((b as number) + (c as number)), b as number];
        expect(missesNear("logps", logps, want, 1e-6)).toEqual([]);
      }
    });

    it("0 drops the tail: its rows have no gradient, its logits no influence", () => {
      const row = (id: number, logit: number) => ({ logits: [0.5, logit, -1], id });
      const call = (logit: number) => {
        const batch = batchOfRows([{ chosen: [row(0, 1), row(1, logit)], rejected: [row(1, 1)] }]);
        return backend.logitsLoss({ ...batch, reference: { logps: Float64Array.of(-1, -1) } }, { ldAlpha: 0 });
      };
      const gradient = call(3).gradLogits as Float32Array;
      expect([...gradient.subarray(3, 6)].map((x) => x === 0)).toEqual([true, true, true]);
      expect(call(3).loss).toBe(call(-8).loss);
    });

    it("leaves sft alone", () => {
      const [got, want] = [run({ lossType: "sft", ldAlpha: 0.5 }), run({ lossType: "sft" })];
      expect(got.loss).toBe(want.loss);
      expect(missesSame("gradLogits", got.gradLogits as Float32Array, want.gradLogits as Float32Array)).toEqual([]);
    });
  });

  it("WPO multiplies the losses by a constant weight: the gradient is that of weighted pairs", () => {
    const { logps } = backend.sequenceLogps({ tokens, vocab, logits: reference.logits });
    const [weighted, plain] = [run({ weighting: "wpo" }), run({})];
    const pairWeights = weighted.losses.map((loss, i) => loss / (plain.losses[i] as number));
    expect(Math.max(...pairWeights)).toBeGreaterThan(1.5 * Math.min(...pairWeights));
    const [policyChosen, policyRejected] = [plain.logps.subarray(0, 3), plain.logps.subarray(3)];
    const [referenceChosen, referenceRejected] = [logps.subarray(0, 3), logps.subarray(3)];
    const { lengths } = packTokens(tokens);
    const [chosenLengths, rejectedLengths] = [lengths.subarray(0, 3), lengths.subarray(3)];
    const ratios = { policyChosen, policyRejected, referenceChosen, referenceRejected };
    const want = backend.pairLoss({ ...ratios, chosenLengths, rejectedLengths, pairWeights });
    expect(missesNear("gradChosen", weighted.gradChosen, want.gradChosen, 1e-5)).toEqual([]);
    expect(missesNear("gradRejected", weighted.gradRejected, want.gradRejected, 1e-5)).toEqual([]);
  });

  it("sft's slope is in gradLogits alone, −1/N for every chosen token", () => {
    const got = run({ lossType: "sft" });
    const chosen = countingRows(tokens).filter(({ sequence }) => sequence < 3);
    expect([...got.gradChosen, ...got.gradRejected].every((x) => x === 0)).toBe(true);
    const gradient = got.gradLogits as Float32Array;
    for (const { row, id } of chosen) {
      const p = Math.exp((logits[row * vocab + id] as number) - (got.logsumexp[row] as number));
      const label = gradient[row * vocab + id] as number;
      expect(missesNear("label", [label], [(p - 1) / chosen.length], 1e-5)).toEqual([]);
    }
    const others = gradient.subarray(3 * 8 * vocab);
    expect(others.every((x) => x === 0)).toBe(true);
  });

  it("gradScale multiplies all gradients, and nothing else", () => {
    const options: LogitsLossOptions = { lossType: ["sigmoid", "sft"], metrics: "full" };
    const plain = run(options);
    for (const gradScale of [1024, -0.5, 3.7]) {
      const got = run({ ...options, gradScale });
      const { gradLogits, gradChosen, gradRejected, ...rest } = got;
      const scaled = (values: ArrayLike<number>) => Float64Array.from(values, (x) => gradScale * x);
      const floats = plain.gradLogits as Float32Array;
      expect([
        ...missesNear("gradLogits", gradLogits as Float32Array, scaled(floats), 1e-6, 1e-12),
        ...missesNear("gradChosen", gradChosen, scaled(plain.gradChosen), 1e-6),
        ...missesNear("gradRejected", gradRejected, scaled(plain.gradRejected), 1e-6),
        ...missesOfBits({ ...plain, ...rest }, plain),
      ]).toEqual([]);
    }
    const none = run({ ...options, gradScale: 0 }).gradLogits as Float32Array;
    expect(none.every((x) => x === 0)).toBe(true);
  });

  it("a running mean is updated once per call that succeeds, the batch included", () => {
    const rewardShift = createRunningMean();
    const first = run({ lossType: "bco_pair", rewardShift });
    expect(rewardShift.count).toBe(1);
    const { "rewards/chosen": x, "rewards/rejected": y } = first.metrics as Record<string, number>;
    expect(rewardShift.mean).toBeCloseTo(((x as number) + (y as number)) / 2, 6);
    expect(first.loss).toBeCloseTo(run({ lossType: "bco_pair", rewardShift: rewardShift.mean }).loss, 6);
    const bad = { ...padded, tokens: { ...tokens, inputIds: new Int32Array(3) } };
    expect(() => backend.logitsLoss(bad, { lossType: "bco_pair", rewardShift })).toThrow();
    expect(rewardShift.count).toBe(1);
  });

  it("onProgress ends with all tokens done", () => {
    for (const call of ["logitsLoss", "sequenceLogps"] as const) {
      const seen: [number, number][] = [];
      backend[call](padded, { onProgress: (done, total) => seen.push([done, total]) });
      const [done, total] = seen.at(-1) ?? [];
      expect(done).toBe(total);
      expect(total).toBeGreaterThan(0);
    }
  });

  describe('validate: "finite"', () => {
    const at = (countingRows(tokens)[2]?.row ?? 0) * vocab + 4;
    const spoilt = (values: Float32Array, value: number) => values.with(at, value);

    it.each([Number.NaN, Infinity, -Infinity])("refuses %d in logits that count, with the index", (value) => {
      const refused = { name: "ParamError", code: "not-finite" };
      const message = (name: string) => new RegExp(`^${name}\\[${at}\\]: expected a finite number, got ${value}`);
      const expectRefused = (call: () => unknown, name: string) => {
        expect(call).toThrow(expect.objectContaining(refused));
        expect(call).toThrow(message(name));
      };
      const finite = { validate: "finite" } as const;
      const policy = { ...padded, logits: spoilt(logits, value) };
      expectRefused(() => backend.logitsLoss(policy, finite), "logits");
      expectRefused(() => backend.sequenceLogps(policy, finite), "logits");
      const second = { ...padded, reference: { logits: spoilt(reference.logits, value) } };
      expectRefused(() => backend.logitsLoss(second, finite), "reference.logits");
      const logps = new Float64Array(6).fill(-3).with(5, value);
      const call = () => backend.logitsLoss({ ...padded, reference: { logps } }, finite);
      expect(call).toThrow(new RegExp(`^reference\\.logps\\[5\\]: expected a finite number, got ${value}`));
      expect(() => backend.logitsLoss(policy)).not.toThrow();
    });

    it.each(Object.entries(wrappers))(
      "%s: infinities and NaN are refused, the largest numbers are not",
      (_name, half) => {
        const { type, wrap } = half;
        const call = (value: number) => {
          const bits = toBits(type, logits);
          bits[at] = bitsOf(type, value);
          return backend.sequenceLogps({ tokens, vocab, logits: wrap(bits) }, { validate: "finite" });
        };
        for (const value of [Number.NaN, Infinity, -Infinity]) {
          expect(() => call(value)).toThrow(new RegExp(`^logits\\[${at}\\]: expected a finite number, got ${value}`));
        }
        const largest = type === "f16" ? 65504 : 3.3895313892515355e38;
        for (const value of [largest, -largest]) expect(() => call(value)).not.toThrow();
      },
    );

    it("does not look at rows that do not count", () => {
      const counting = new Set(countingRows(tokens).map(({ row }) => row));
      const holes = logits.map((x, i) => (counting.has(Math.floor(i / vocab)) ? x : Number.NaN));
      const got = backend.logitsLoss({ ...padded, logits: holes }, { validate: "finite" });
      expect(missesOfBits(got, run({}))).toEqual([]);
    });
  });
});

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
  const run = async (options: LogitsLossOptions) => backend.logitsLoss(padded, options);

  describe("ldAlpha", () => {
    it.each([0, 0.5, 1])(
      "%d: reference log-probs that carry it give what the reference's logits give",
      async (ldAlpha) => {
        const { logps } = await backend.sequenceLogps({ tokens, vocab, logits: reference.logits }, { ldAlpha });
        const options = { lossType: ["sigmoid", "ipo"], ldAlpha } as const;
        const got = await backend.logitsLoss({ ...padded, reference: { logps } }, options);
        expect(missesOfBits(got, await run(options))).toEqual([]);
      },
    );

    it("1 is off", async () => {
      expect(missesOfBits(await run({ ldAlpha: 1 }), await run({}))).toEqual([]);
    });

    it("weighs what lies beyond the shorter completion of the pair", async () => {
      const row = (id: number) => ({ logits: [0.5, 1, -1], id });
      const batch = batchOfRows([{ chosen: [row(0), row(1), row(2)], rejected: [row(1)] }]);
      const [a, b, c] = (await backend.sequenceLogps(batch)).tokenLogps as Float32Array;
      for (const ldAlpha of [0, 0.25, 1]) {
        const { logps } = await backend.sequenceLogps(batch, { ldAlpha });
        const want = [(a as number) + ldAlpha * ((b as number) + (c as number)), b as number];
        expect(missesNear("logps", logps, want, 1e-6)).toEqual([]);
      }
    });

    it("0 drops the tail: its rows have no gradient, its logits no influence", async () => {
      const row = (id: number, logit: number) => ({ logits: [0.5, logit, -1], id });
      const call = async (logit: number) => {
        const batch = batchOfRows([{ chosen: [row(0, 1), row(1, logit)], rejected: [row(1, 1)] }]);
        return backend.logitsLoss({ ...batch, reference: { logps: Float64Array.of(-1, -1) } }, { ldAlpha: 0 });
      };
      const gradient = (await call(3)).gradLogits as Float32Array;
      expect([...gradient.subarray(3, 6)].map((x) => x === 0)).toEqual([true, true, true]);
      expect((await call(3)).loss).toBe((await call(-8)).loss);
    });

    it("leaves sft alone", async () => {
      const [got, want] = [await run({ lossType: "sft", ldAlpha: 0.5 }), await run({ lossType: "sft" })];
      expect(got.loss).toBe(want.loss);
      expect(missesSame("gradLogits", got.gradLogits as Float32Array, want.gradLogits as Float32Array)).toEqual([]);
    });
  });

  it("WPO multiplies the losses by a constant weight: the gradient is that of weighted pairs", async () => {
    const { logps } = await backend.sequenceLogps({ tokens, vocab, logits: reference.logits });
    const [weighted, plain] = [await run({ weighting: "wpo" }), await run({})];
    const pairWeights = weighted.losses.map((loss, i) => loss / (plain.losses[i] as number));
    expect(Math.max(...pairWeights)).toBeGreaterThan(1.5 * Math.min(...pairWeights));
    const [policyChosen, policyRejected] = [plain.logps.subarray(0, 3), plain.logps.subarray(3)];
    const [referenceChosen, referenceRejected] = [logps.subarray(0, 3), logps.subarray(3)];
    const { lengths } = packTokens(tokens);
    const [chosenLengths, rejectedLengths] = [lengths.subarray(0, 3), lengths.subarray(3)];
    const ratios = { policyChosen, policyRejected, referenceChosen, referenceRejected };
    const want = await backend.pairLoss({ ...ratios, chosenLengths, rejectedLengths, pairWeights });
    expect(missesNear("gradChosen", weighted.gradChosen, want.gradChosen, 1e-5)).toEqual([]);
    expect(missesNear("gradRejected", weighted.gradRejected, want.gradRejected, 1e-5)).toEqual([]);
  });

  it("sft's slope is in gradLogits alone, −1/N for every chosen token", async () => {
    const got = await run({ lossType: "sft" });
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

  it("gradScale multiplies all gradients, and nothing else", async () => {
    const options: LogitsLossOptions = { lossType: ["sigmoid", "sft"], metrics: "full" };
    const plain = await run(options);
    for (const gradScale of [1024, -0.5, 3.7]) {
      const got = await run({ ...options, gradScale });
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
    const none = (await run({ ...options, gradScale: 0 })).gradLogits as Float32Array;
    expect(none.every((x) => x === 0)).toBe(true);
  });

  it("a running mean is updated once per call that succeeds, the batch included", async () => {
    const rewardShift = createRunningMean();
    const first = await run({ lossType: "bco_pair", rewardShift });
    expect(rewardShift.count).toBe(1);
    const { "rewards/chosen": x, "rewards/rejected": y } = first.metrics as Record<string, number>;
    expect(rewardShift.mean).toBeCloseTo(((x as number) + (y as number)) / 2, 6);
    expect(first.loss).toBeCloseTo((await run({ lossType: "bco_pair", rewardShift: rewardShift.mean })).loss, 6);
    const bad = { ...padded, tokens: { ...tokens, inputIds: new Int32Array(3) } };
    await expect(async () => backend.logitsLoss(bad, { lossType: "bco_pair", rewardShift })).rejects.toThrow();
    expect(rewardShift.count).toBe(1);
  });

  it("onProgress ends with all tokens done", async () => {
    for (const call of ["logitsLoss", "sequenceLogps"] as const) {
      const seen: [number, number][] = [];
      const options = { onProgress: (done: number, total: number) => void seen.push([done, total]) };
      await (call === "logitsLoss" ? backend.logitsLoss(padded, options) : backend.sequenceLogps(padded, options));
      const [done, total] = seen.at(-1) ?? [];
      expect(done).toBe(total);
      expect(total).toBeGreaterThan(0);
    }
  });

  describe('validate: "finite"', () => {
    const at = (countingRows(tokens)[2]?.row ?? 0) * vocab + 4;
    const spoilt = (values: Float32Array, value: number) => values.with(at, value);

    it.each([Number.NaN, Infinity, -Infinity])("refuses %d in logits that count, with the index", async (value) => {
      const refused = { name: "ParamError", code: "not-finite" };
      const message = (name: string) => new RegExp(`^${name}\\[${at}\\]: expected a finite number, got ${value}`);
      const expectRefused = async (call: () => unknown, name: string) => {
        await expect(call).rejects.toThrow(expect.objectContaining(refused));
        await expect(call).rejects.toThrow(message(name));
      };
      const finite = { validate: "finite" } as const;
      const policy = { ...padded, logits: spoilt(logits, value) };
      await expectRefused(async () => backend.logitsLoss(policy, finite), "logits");
      await expectRefused(async () => backend.sequenceLogps(policy, finite), "logits");
      const second = { ...padded, reference: { logits: spoilt(reference.logits, value) } };
      await expectRefused(async () => backend.logitsLoss(second, finite), "reference.logits");
      const logps = new Float64Array(6).fill(-3).with(5, value);
      const call = async () => backend.logitsLoss({ ...padded, reference: { logps } }, finite);
      await expect(call).rejects.toThrow(
        new RegExp(`^reference\\.logps\\[5\\]: expected a finite number, got ${value}`),
      );
      expect(await backend.logitsLoss(policy)).toBeDefined();
    });

    it.each(Object.entries(wrappers))(
      "%s: infinities and NaN are refused, the largest numbers are not",
      async (_name, half) => {
        const { type, wrap } = half;
        const call = async (value: number) => {
          const bits = toBits(type, logits);
          bits[at] = bitsOf(type, value);
          return backend.sequenceLogps({ tokens, vocab, logits: wrap(bits) }, { validate: "finite" });
        };
        for (const value of [Number.NaN, Infinity, -Infinity]) {
          await expect(async () => call(value)).rejects.toThrow(
            new RegExp(`^logits\\[${at}\\]: expected a finite number, got ${value}`),
          );
        }
        const largest = type === "f16" ? 65504 : 3.3895313892515355e38;
        for (const value of [largest, -largest]) expect(await call(value)).toBeDefined();
      },
    );

    it("does not look at rows that do not count", async () => {
      const counting = new Set(countingRows(tokens).map(({ row }) => row));
      const holes = logits.map((x, i) => (counting.has(Math.floor(i / vocab)) ? x : Number.NaN));
      const got = await backend.logitsLoss({ ...padded, logits: holes }, { validate: "finite" });
      expect(missesOfBits(got, await run({}))).toEqual([]);
    });
  });
});

// Results that stay on the GPU, inputs that lie there: the same numbers as with arrays, and nothing awaited.

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createJs } from "../../src/index.ts";
import type { LogitsLossOptions, PairLogps } from "../../src/types.ts";
import { createWebGpu, type GpuRange, gpuMetrics, type WebGpuBackend } from "../../src/webgpu.ts";
import { excessOver, magnitude, misses, missesNear, vectorNames } from "../support/compare.ts";
import { adapterOfDawn, onDawn } from "../support/dawn.ts";
import { bytesOf, floatsOf as floatsIn, toBuffer } from "../support/gpu-buffers.ts";
import { fromBits, toBits } from "../support/half.ts";
import { layoutNames, layouts, randomLogits } from "../support/logits.ts";
import { narrow, randomPairs } from "../support/pairs.ts";
import { plainVariants } from "../support/variants.ts";

const js = createJs();

onDawn("readback: false", () => {
  let gpu: WebGpuBackend;
  beforeAll(async () => {
    gpu = await createWebGpu({ adapter: await adapterOfDawn() });
  });
  afterAll(() => gpu.dispose());

  const onGpu = (array: ArrayBufferView, offset = 0) => toBuffer(gpu.device, array, offset);
  const floatsOf = (range: GpuRange) => floatsIn(gpu.device, range);

  const near = (name: string, got: ArrayLike<number>, want: ArrayLike<number>, floor = 1e-7): string[] => {
    const bound = 1e-5 * magnitude(want) + floor;
    return misses(name, got, want, (g, w) => excessOver(bound, g, w));
  };

  async function missesOfMetrics(metrics: GpuRange, loss: number, want: Record<string, number>): Promise<string[]> {
    const got = await floatsOf(metrics);
    return gpuMetrics.flatMap((key, k) => {
      const wanted = key === "loss" ? loss : want[key];
      return wanted === undefined ? [] : missesNear(key, [got[k] as number], [wanted], 2e-5, 5e-6);
    });
  }

  describe("pairLoss", () => {
    it.each(plainVariants.map((one) => [one.name, one] as const))("%s", async (_name, { options }) => {
      for (const count of [1, 65, 1030]) {
        const pairs = narrow(randomPairs(count, 5)) as Record<keyof PairLogps, Float32Array>;
        const want = js.pairLoss(pairs, { ...options, metrics: "full" });
        const mixed = {
          ...pairs,
          policyRejected: onGpu(pairs.policyRejected, 8),
          referenceChosen: onGpu(pairs.referenceChosen),
        };
        const got = await gpu.pairLoss(mixed, { ...options, readback: false });
        for (const name of [...vectorNames, "chosenRewards", "rejectedRewards"] as const) {
          expect(near(name, await floatsOf(got[name]), want[name] ?? [])).toEqual([]);
        }
        expect(await missesOfMetrics(got.metrics, want.loss, want.metrics)).toEqual([]);
        await got.done;
        got.destroy();
        const back = await gpu.pairLoss(mixed, options);
        for (const name of vectorNames) expect(near(name, back[name], want[name])).toEqual([]);
      }
    });
  });

  const optionSets: LogitsLossOptions[] = [
    { metrics: "full" },
    { lossType: "ipo", ldAlpha: 0.4, metrics: "full" },
    { lossType: ["sigmoid", "bco_pair", "sft"], lossWeights: [0.8, 0.2, 1], gradScale: 64, metrics: "full" },
    { lossType: "apo_zero", weighting: "wpo", metrics: "full" },
    { lossType: ["aot", "aot_unpaired"], metrics: "full" },
    { lossType: "aot", referenceFree: true },
    { lossType: "discopop", ldAlpha: 0 },
  ];

  describe.each(layoutNames)("logitsLoss, %s", (layout) => {
    it.each(optionSets.map((options) => [JSON.stringify(options), options] as const))("%s", async (_name, options) => {
      const shapes = [
        { pairs: 3, length: 6, vocab: 257, seed: 3, holes: 0.3 },
        { pairs: 1, length: 3, vocab: 16385, seed: 5 },
        { pairs: 9, length: 5, vocab: 5, seed: 6, spread: 8 },
      ];
      for (const shape of shapes) {
        const { batch } = layouts[layout](randomLogits(shape));
        const want = js.logitsLoss(batch, options);
        const byLogps = {
          logps: js.sequenceLogps({ ...batch, logits: batch.reference.logits }, { ldAlpha: options.ldAlpha }).logps,
        };
        const there = {
          ...batch,
          logits: onGpu(batch.logits, 4),
          reference: { logits: onGpu(batch.reference.logits, 12) },
        };
        for (const given of [batch, there, { ...there, reference: byLogps }]) {
          const got = await gpu.logitsLoss(given, { ...options, readback: false });
          for (const name of [...vectorNames, "logps", "tokenLogps", "logsumexp"] as const) {
            expect(near(name, await floatsOf(got[name]), want[name], 1e-6)).toEqual([]);
          }
          expect(near("gradLogits", await floatsOf(got.gradLogits), want.gradLogits as Float32Array)).toEqual([]);
          expect(await missesOfMetrics(got.metrics, want.loss, want.metrics)).toEqual([]);
          await got.done;
          got.destroy();
        }
        // The gradient back in an array, in a buffer of its own, over the logits.
        const back = await gpu.logitsLoss(there, options);
        expect(near("back", back.gradLogits as Float32Array, want.gradLogits as Float32Array)).toEqual([]);
        const to = onGpu(new Float32Array(batch.logits.length).fill(7), 8);
        const kept = await gpu.logitsLoss(there, { ...options, out: { gradLogits: to } });
        expect(kept.gradLogits).toBe(to);
        const size = 4 * batch.logits.length;
        expect(near("out", await floatsOf({ ...to, size }), want.gradLogits as Float32Array)).toEqual([]);
        const over = await gpu.logitsLoss(there, { ...options, inPlace: true, readback: false });
        expect(near("over", await floatsOf(over.gradLogits), want.gradLogits as Float32Array)).toEqual([]);
        expect(over.gradLogits.buffer).toBe(there.logits.buffer);
      }
    });
  });

  it.each(["f16", "bf16"] as const)("takes %s of an odd vocabulary", async (type) => {
    const { batch } = layouts.padded(randomLogits({ pairs: 2, length: 3, vocab: 33, seed: 9 }));
    const bits = toBits(type, batch.logits);
    const widened = { ...batch, logits: fromBits(type, bits) };
    const there = { ...batch, logits: { ...onGpu(bits, 4), type } };
    const want = toBits(type, js.logitsLoss(widened).gradLogits as Float32Array);
    const got = await gpu.logitsLoss(there, { readback: false });
    const numbers = (half: Uint16Array): Float32Array => fromBits(type, half);
    const gradient = numbers(new Uint16Array(await bytesOf(gpu.device, got.gradLogits)));
    expect(missesNear("gradLogits", gradient, numbers(want), type === "f16" ? 1e-3 : 8e-3, 1e-7)).toEqual([]);
  });

  it.each(layoutNames)(
    "clamps ids on the GPU and counts them; refuses them where it reads back, %s",
    async (layout) => {
      const { batch } = layouts[layout](randomLogits({ pairs: 2, length: 4, vocab: 33, seed: 10 }));
      const name = "inputIds" in batch.tokens ? "inputIds" : "targets";
      const ids = (batch.tokens as unknown as Record<string, Int32Array>)[name] as Int32Array;
      const call = (ids: Int32Array) => ({ ...batch, tokens: { ...batch.tokens, [name]: onGpu(ids, 4) } }) as never;
      const want = js.sequenceLogps(batch);
      const clamped = async (ids: Int32Array) => {
        const got = await gpu.sequenceLogps(call(ids), { readback: false } as { readback: false });
        return {
          logps: await floatsOf(got.logps),
          flag: new Uint32Array(await bytesOf(gpu.device, got.metrics))[gpuMetrics.indexOf("clamped_ids")],
        };
      };
      const sound = await clamped(ids);
      expect(near("logps", sound.logps, want.logps)).toEqual([]);
      expect(sound.flag).toBe(0);
      const wrong = ids.map(() => 40_000);
      expect((await clamped(wrong)).flag).toBe(js.sequenceLogps(batch).tokenLogps.filter((x) => x !== 0).length);
      expect(near("back", (await gpu.sequenceLogps(call(ids))).logps, want.logps)).toEqual([]);
      await expect(gpu.sequenceLogps(call(wrong))).rejects.toMatchObject({ code: "bad-id" });
    },
  );
});

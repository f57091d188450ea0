// Numbers at the edges, as far as WGSL lets them through: infinities, NaN, huge logits, empty completions; and any call that
// fast-check can think of.

import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createJs } from "../../src/index.ts";
import type { LogitsBatch } from "../../src/types.ts";
import { createWebGpu, type GpuRange, type WebGpuBackend } from "../../src/webgpu.ts";
import { excessOver, magnitude, misses } from "../support/compare.ts";
import { adapterOfDawn, onDawn } from "../support/dawn.ts";
import { floatsOf as floatsIn } from "../support/gpu-buffers.ts";
import { layouts, randomLogits } from "../support/logits.ts";
import { callOf, recipes } from "../support/logits-hostile.ts";
import { arrayNames, rawOf } from "../support/logits-results.ts";
import { batchOfRows, fourPairs, PAIRS } from "../support/logits-rows.ts";

const js = createJs();
const MOST = 3.4028234663852886e38;

const rows: Record<string, (v: number) => number> = {
  "a masked vocabulary": (v) => (v % 3 === 0 ? -Infinity : v / 10),
  "all masked": () => -Infinity,
  "one +infinity": (v) => (v === 4 ? Infinity : 0),
  "one NaN": (v) => (v === 4 ? Number.NaN : 0),
  "a NaN among infinities": (v) => (v === 4 ? Number.NaN : v % 2 ? Infinity : -Infinity),
  "constant, at the end of float32": () => MOST,
  "constant, at the other end": () => -MOST,
  "both ends": (v) => (v % 2 ? MOST : -MOST),
  "logits of 1e4": (v) => 1e4 + Math.sin(v),
  "one far ahead": (v) => (v === 3 ? 200 : 0),
};

onDawn("hostile values on WebGPU", () => {
  let gpu: WebGpuBackend;
  beforeAll(async () => {
    gpu = await createWebGpu({ adapter: await adapterOfDawn() });
  });
  afterAll(() => gpu.dispose());

  const floatsOf = (range: GpuRange) => floatsIn(gpu.device, range);

  const near = (name: string, got: ArrayLike<number>, want: ArrayLike<number>): string[] => {
    const bound = 1e-5 * magnitude(want) + 2e-6;
    return misses(name, got, want, (g, w) => excessOver(bound, g, w));
  };

  describe("one row of a pair", () => {
    it.each(Object.entries(rows))("%s", async (_name, logit) => {
      for (const vocab of [9, 300]) {
        const batch = fourPairs(vocab);
        for (let v = 0; v < vocab; v++) batch.logits[2 * vocab + v] = Math.fround(logit(v));
        const call = { ...batch, reference: { logps: new Float64Array(2 * PAIRS).fill(-5) } };
        const want = js.logitsLoss(call);
        const got = await gpu.logitsLoss(call);
        const there = await gpu.logitsLoss(call, { readback: false });
        for (const name of arrayNames) {
          if (!want[name]) continue;
          expect(near(name, got[name] ?? [], want[name])).toEqual([]);
          if (name !== "chosenRewards" && name !== "rejectedRewards") {
            expect(near(`${name} there`, await floatsOf(there[name]), Float32Array.from(want[name]))).toEqual([]);
          }
        }
        const gradient = want.gradLogits as Float32Array;
        expect(near("gradLogits", got.gradLogits as Float32Array, gradient)).toEqual([]);
        expect(near("gradLogits there", await floatsOf(there.gradLogits), gradient)).toEqual([]);
      }
    });
  });

  it("a chunk of nothing but masked logits, in a row of two", async () => {
    const vocab = 16_384 + 5;
    const row = (id: number) => ({
      id,
      logits: Float32Array.from({ length: vocab }, (_, v) => (v < 16_384 ? -Infinity : v % 7)),
    });
    const batch = batchOfRows([{ chosen: [row(vocab - 1)], rejected: [row(vocab - 2), row(3)] }]);
    const [got, want] = [
      await gpu.sequenceLogps(batch, { metrics: "full" }),
      js.sequenceLogps(batch, { metrics: "full" }),
    ];
    for (const name of ["logps", "tokenLogps", "logsumexp"] as const)
      expect(near(name, got[name], want[name])).toEqual([]);
    expect(near("entropy", [got.metrics["entropy"] as number], [want.metrics["entropy"] as number])).toEqual([]);
  });

  it("no token that counts", async () => {
    const { batch } = layouts.padded(randomLogits({ pairs: 2, length: 1, vocab: 7, seed: 1 }));
    const got = await gpu.logitsLoss(batch);
    expect(near("losses", got.losses, js.logitsLoss(batch).losses)).toEqual([]);
    expect(rawOf(got.gradLogits)).toEqual(new Float32Array(batch.logits.length));
    const there = await gpu.logitsLoss(batch, { readback: false });
    expect(await floatsOf(there.gradLogits)).toEqual(new Float32Array(batch.logits.length));
    await there.done;
  });

  it("whatever fast-check thinks of", async () => {
    await fc.assert(
      fc.asyncProperty(recipes, async (recipe) => {
        const copy = () => callOf(recipe) as unknown as { batch: LogitsBatch; options: object };
        const [mine, yours] = [copy(), copy()];
        const want = js.logitsLoss(yours.batch, yours.options);
        const got = await gpu.logitsLoss(mine.batch, mine.options);
        for (const name of ["losses", "gradChosen", "gradRejected", "logps", "tokenLogps"] as const) {
          expect(near(name, got[name], want[name])).toEqual([]);
        }
        expect(Object.keys(got).sort()).toEqual(Object.keys(want).sort());
      }),
      { numRuns: 30, seed: 61 },
    );
  });
});

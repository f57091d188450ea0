// Where readback true and false could part ways: sums beyond the integers, batches without tokens, digits of float64, options.

import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { createJs, createRunningMean } from "../../src/index.ts";
import { createWebGpu, type WebGpuBackend } from "../../src/webgpu.ts";
import { adapterOfDawn, onDawn } from "../support/dawn.ts";
import { floatsOf as floatsIn, toBuffer } from "../support/gpu-buffers.ts";
import { layouts, randomLogits } from "../support/logits.ts";
import { randomPairs } from "../support/pairs.ts";

const js = createJs();
const { batch } = layouts.padded(randomLogits({ pairs: 2, length: 4, vocab: 33, seed: 2 }));

onDawn("edges of WebGPU", () => {
  let gpu: WebGpuBackend;
  beforeAll(async () => {
    gpu = await createWebGpu({ adapter: await adapterOfDawn() });
  });
  afterAll(() => gpu.dispose());

  const floatsOf = (range: Parameters<typeof floatsIn>[1]) => floatsIn(gpu.device, range);

  it("sums of more than the integers hold are those of floats", async () => {
    const [tokens, vocab] = [70, 2];
    // Each log-prob is −2.6e8: within the integers, as the sum of 35 is not.
    const logits = Float32Array.from({ length: (tokens + 1) * vocab }, (_, i) => (i % 2 === 0 ? 1.3e8 : -1.3e8));
    const targets = Int32Array.from({ length: tokens + 1 }, (_, k) => (k < tokens ? 1 : 0));
    const call = { tokens: { pairs: 1, offsets: Int32Array.of(0, tokens, tokens + 1), targets }, vocab, logits };
    const options = { referenceFree: true, beta: 1e-9 } as const;
    const want = js.logitsLoss(call, options);
    expect(want.logps[0]).toBeLessThan(-(2 ** 33));
    const [got, there] = [
      await gpu.logitsLoss(call, options),
      await gpu.logitsLoss(call, { ...options, readback: false }),
    ];
    const gradient = want.gradLogits as Float32Array;
    for (const values of [got.gradLogits as Float32Array, await floatsOf(there.gradLogits)]) {
      for (const [i, g] of values.entries()) expect(g).toBeCloseTo(gradient[i] as number, 14);
    }
    expect((await floatsOf(there.logps))[0]).toBeCloseTo(want.logps[0] as number, -4);
  });

  it("packed batches may have no token at all", async () => {
    const tokens = { pairs: 1, offsets: Int32Array.of(0, 0, 0), targets: new Int32Array(0) };
    const shared = { tokens, vocab: 5, reference: { logps: new Float64Array(2) } };
    const call = { ...shared, logits: new Float32Array(0) };
    const want = js.logitsLoss(call);
    for (const result of [
      await gpu.logitsLoss(call, { readback: false }),
      await gpu.linearLoss(
        { ...shared, hiddenSize: 3, hidden: new Float32Array(0), weight: new Float32Array(15) },
        { readback: false },
      ),
    ]) {
      await result.done;
      expect((await floatsOf(result.losses))[0]).toBeCloseTo(want.losses[0] as number, 6);
    }
    await (await gpu.sequenceLogps(call, { readback: false })).done;
  });

  it("log-ratios of float64 arrays keep their digits with readback false", async () => {
    const pairs = {
      policyChosen: Float64Array.of(-5000.00011),
      policyRejected: Float64Array.of(-40),
      referenceChosen: Float64Array.of(-5000),
      referenceRejected: Float64Array.of(-40.5),
    };
    const want = js.pairLoss(pairs, { beta: 1, metrics: "full" });
    const got = await gpu.pairLoss(pairs, { beta: 1, readback: false });
    expect((await floatsOf(got.chosenRewards))[0]).toBeCloseTo(want.chosenRewards?.[0] as number, 8);
  });

  describe("options", () => {
    it("types that a buffer has not are refused", async () => {
      const half = { ...toBuffer(gpu.device, new Float32Array(4)), type: "f16" } as const;
      const whole = () => toBuffer(gpu.device, new Float32Array(4));
      const state = { step: 0, m: whole(), v: whole() };
      await expect(gpu.adamw(half, whole(), state)).rejects.toMatchObject({ name: "KindError" });
      expect(state.step).toBe(0);
      const pairs = { policyChosen: half, policyRejected: whole() } as never;
      await expect(gpu.pairLoss(pairs, { referenceFree: true })).rejects.toThrow("policyChosen.type");
      const logps = { ...batch, reference: { logps: half } } as never;
      await expect(gpu.logitsLoss(logps, { readback: false } as never)).rejects.toThrow("reference.logps.type");
    });

    it("a step that the device refused is none", async () => {
      const [params, grads, m, v] = Array.from({ length: 4 }, () => toBuffer(gpu.device, new Float32Array(4)));
      v?.buffer.destroy();
      const state = { step: 3, m, v } as never as Parameters<WebGpuBackend["adamw"]>[2];
      await expect(gpu.adamw(params as never, grads as never, state)).rejects.toMatchObject({ code: "unavailable" });
      expect(state.step).toBe(3);
    });

    it("sequenceLogps takes no `out` with readback false; loss and rewards among its metrics are 0", async () => {
      const out = { logps: new Float64Array(4) };
      await expect(gpu.sequenceLogps(batch, { readback: false, out })).rejects.toMatchObject({ code: "unused-option" });
      const { metrics } = await gpu.sequenceLogps(batch, { readback: false });
      expect((await floatsOf(metrics)).subarray(0, 5)).toEqual(new Float32Array(5));
    });

    it("progress is told with readback false", async () => {
      const onProgress = vi.fn();
      const { done } = await gpu.logitsLoss(batch, { readback: false, onProgress });
      await done;
      await Promise.resolve();
      const tokens = js.sequenceLogps(batch).tokenLogps.filter((x) => x !== 0).length;
      expect(onProgress.mock.calls).toEqual([[tokens, tokens]]);
    });
  });

  it("calls that share a running mean go in call order", async () => {
    const batches = [3, 4, 5].map((seed) => randomPairs(20, seed));
    const [ours, theirs] = [createRunningMean(), createRunningMean()];
    const options = { lossType: "bco_pair" } as const;
    const want = batches.map((pairs) => js.pairLoss(pairs, { ...options, rewardShift: theirs }).loss);
    const got = await Promise.all(batches.map((pairs) => gpu.pairLoss(pairs, { ...options, rewardShift: ours })));
    for (const [k, { loss }] of got.entries()) expect(loss).toBeCloseTo(want[k] as number, 5);
    expect(ours.mean).toBeCloseTo(theirs.mean, 6);
  });

  it("a call of two passes that is aborted in the second writes nothing", async () => {
    const controller = new AbortController();
    const { queue } = gpu.device;
    const submit = queue.submit.bind(queue);
    let submissions = 0;
    queue.submit = (buffers) => {
      submit(buffers);
      if (++submissions === 3) controller.abort("in the second pass");
    };
    const out = { gradLogits: new Float32Array(batch.logits.length).fill(7) };
    const options = { lossType: "bco_pair", rewardShift: createRunningMean(), signal: controller.signal, out } as const;
    await expect(gpu.logitsLoss(batch, options)).rejects.toMatchObject({ name: "AbortError" });
    queue.submit = submit;
    expect(submissions).toBe(3);
    expect(out.gradLogits).toEqual(new Float32Array(batch.logits.length).fill(7));
  });

  it("a refusal while commands are recorded is the only thing that is heard, and nothing stays taken", async () => {
    const unhandled = vi.fn();
    process.on("unhandledRejection", unhandled);
    const other = await (await adapterOfDawn()).requestDevice();
    const bytes = 4 * batch.logits.length;
    const buffer = other.createBuffer({ size: 4 * bytes, usage: 0x8c });
    const call = gpu.logitsLoss(
      { ...batch, logits: { buffer } },
      { out: { gradLogits: { buffer, offset: 256 * Math.ceil(bytes / 256) } } },
    );
    await expect(call).rejects.toMatchObject({ name: "ShapeError", code: "overlap" });
    await new Promise((resolve) => setTimeout(resolve, 50));
    process.off("unhandledRejection", unhandled);
    expect(unhandled).not.toHaveBeenCalled();
    other.destroy();
  });
});

// Policy and reference of the same logits, or of the same head, are the same number where nothing is read back too.

import { afterAll, beforeAll, expect, it } from "vitest";
import { createWebGpu, type GpuRange, type WebGpuBackend } from "../../src/webgpu.ts";
import { adapterOfDawn, onDawn } from "../support/dawn.ts";
import { floatsOf } from "../support/gpu-buffers.ts";
import { randomLinear } from "../support/linear.ts";
import { randomLogits } from "../support/logits.ts";

onDawn("policy and reference with readback false", () => {
  let gpu: WebGpuBackend;
  beforeAll(async () => {
    gpu = await createWebGpu({ adapter: await adapterOfDawn() });
  });
  afterAll(() => gpu.dispose());

  async function expectEqual(results: { chosenRewards: GpuRange; rejectedRewards: GpuRange }): Promise<void> {
    for (const range of [results.chosenRewards, results.rejectedRewards]) {
      expect((await floatsOf(gpu.device, range)).every((x) => x === 0)).toBe(true);
    }
  }

  it.each([{}, { metrics: "full" }, { weighting: "wpo" }] as const)("%o", async (options) => {
    const { tokens, vocab, logits } = randomLogits({ pairs: 6, length: 9, vocab: 517, seed: 12 });
    const call = { tokens, vocab, logits, reference: { logits } };
    await expectEqual(await gpu.logitsLoss(call, { ...options, readback: false }));
    const batch = randomLinear({ pairs: 3, length: 6, vocab: 300, width: 16, seed: 13, bias: true });
    const { hidden, weight, bias } = batch;
    const head = { ...batch, reference: { hidden, weight, bias } };
    await expectEqual(await gpu.linearLoss(head as never, { ...options, readback: false }));
  });
});

// examples/webgpu/producer.js on Dawn: its logits, consumed in place, against js.

import { expect, it } from "vitest";
import { createJs } from "../../src/index.ts";
import { missesNear } from "../support/compare.ts";
import { adapterOfDawn, onDawn } from "../support/dawn.ts";

const path = "../../examples/webgpu/producer.js";

async function floatsOf(device: GPUDevice, buffer: GPUBuffer): Promise<Float32Array> {
  const staging = device.createBuffer({ size: buffer.size, usage: 0x9 });
  const encoder = device.createCommandEncoder();
  encoder.copyBufferToBuffer(buffer, 0, staging, 0, buffer.size);
  device.queue.submit([encoder.finish()]);
  await staging.mapAsync(1);
  return new Float32Array(staging.getMappedRange().slice(0));
}

onDawn("a producer of logits on its own device", () => {
  it("finds their gradient in their place", async () => {
    const { batch, lossOf, produceLogits } = await import(path);
    const device = await (await adapterOfDawn()).requestDevice();
    const buffer = produceLogits(device) as GPUBuffer;
    const logits = await floatsOf(device, buffer);
    const want = createJs().logitsLoss({ ...batch, logits });
    const metrics = await lossOf(device, buffer);
    const gradient = await floatsOf(device, buffer);
    const wanted = want.gradLogits as Float32Array;
    const largest = wanted.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
    expect(logits.some((x) => x !== 0)).toBe(true);
    expect([
      ...missesNear("gradient", gradient, wanted, 0, 1e-5 * largest),
      ...missesNear("loss", [metrics.loss], [want.loss], 2e-5, 5e-6),
      ...Object.entries(want.metrics).flatMap(([key, x]) => missesNear(key, [metrics[key]], [x], 2e-5, 5e-6)),
    ]).toEqual([]);
    device.destroy();
  });
});

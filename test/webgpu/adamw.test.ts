// AdamW on buffers against AdamW on arrays, step after step.

import { expect, it } from "vitest";
import { adamw, adamwState } from "../../src/train.ts";
import { createWebGpu } from "../../src/webgpu.ts";
import { missesNear } from "../support/compare.ts";
import { adapterOfDawn, onDawn } from "../support/dawn.ts";
import { normalFrom } from "../support/logits.ts";

onDawn("adamw on WebGPU", () => {
  it("takes the steps that arrays take", async () => {
    const gpu = await createWebGpu({ adapter: await adapterOfDawn() });
    const { device } = gpu;
    const normal = normalFrom(3);
    const params = Float32Array.from({ length: 1003 }, normal);
    const state = adamwState(params);
    const make = () => ({ buffer: device.createBuffer({ size: 8 + params.byteLength, usage: 0x8c }), offset: 8 });
    const [p, g, m, v] = [make(), make(), make(), make()];
    const there = { step: 0, m, v };
    device.queue.writeBuffer(p.buffer, 8, params);
    for (let k = 0; k < 3; k++) {
      const grads = Float32Array.from(params, normal);
      device.queue.writeBuffer(g.buffer, 8, grads);
      await gpu.adamw(p, g, there, { lr: 1e-2 });
      adamw(params, grads, state, { lr: 1e-2 });
    }
    const staging = device.createBuffer({ size: params.byteLength, usage: 0x9 });
    const encoder = device.createCommandEncoder();
    encoder.copyBufferToBuffer(p.buffer, 8, staging, 0, params.byteLength);
    device.queue.submit([encoder.finish()]);
    await staging.mapAsync(1);
    expect(missesNear("params", new Float32Array(staging.getMappedRange()), params, 1e-6, 1e-7)).toEqual([]);
    expect(there.step).toBe(3);
    await expect(gpu.adamw(p, p, there)).rejects.toMatchObject({ code: "overlap" });
    await expect(gpu.adamw(p, g, there, { lr: -1 })).rejects.toMatchObject({ code: "out-of-range" });
    expect(there.step).toBe(3);
    await gpu.dispose();
  });
});

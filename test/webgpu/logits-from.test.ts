// tokens.logitsFrom with results that stay on the GPU.

import { afterAll, beforeAll, expect, it } from "vitest";
import { createWebGpu, type WebGpuBackend } from "../../src/webgpu.ts";
import { missesSame } from "../support/compare.ts";
import { adapterOfDawn, onDawn } from "../support/dawn.ts";
import { floatsOf } from "../support/gpu-buffers.ts";
import { all, last, options, perToken } from "../support/logits-from.ts";

onDawn("logitsFrom, readback: false", () => {
  let gpu: WebGpuBackend;
  beforeAll(async () => {
    gpu = await createWebGpu({ adapter: await adapterOfDawn() });
  });
  afterAll(() => gpu.dispose());

  it("leaves on the GPU what logits of all positions leave there", async () => {
    const [want, got] = await Promise.all(
      [all, last].map((batch) => gpu.logitsLoss(batch, { ...options, readback: false })),
    );
    for (const name of [...perToken, "losses"] as const) {
      const [wanted, given] = await Promise.all(
        [want, got].map(async (result) => floatsOf(gpu.device, result?.[name] as never)),
      );
      expect(missesSame(name, given ?? [], wanted ?? [])).toEqual([]);
    }
    for (const result of [want, got]) result?.destroy();
  });
});

// linearLoss on the GPU against logitsLoss in float64 on logits written out: shapes, types, adapters, several ranges of ids.

import { afterAll, beforeAll, expect, it } from "vitest";
import { createWebGpu, type WebGpuBackend } from "../../src/webgpu.ts";
import { adapterOfDawn, onDawn } from "../support/dawn.ts";
import { toBits } from "../support/half.ts";
import { expectedLinear, type LinearShape, logitsOf, missesOfLinear, randomLinear } from "../support/linear.ts";

const base = { pairs: 2, length: 6, vocab: 33, width: 12, seed: 391 };
const shapes: Record<string, LinearShape> = {
  "vocabulary 1": { ...base, vocab: 1 },
  "width 1": { ...base, width: 1 },
  "width 21, bias": { ...base, width: 21, bias: true },
  "no row at all": { ...base, pairs: 1, length: 1 },
  "rank 5, bias": { ...base, width: 11, rank: 5, bias: true },
  "several tiles each way": { ...base, pairs: 3, length: 50, vocab: 150, width: 70, isPacked: true },
  "a long vocabulary": { ...base, pairs: 1, length: 3, vocab: 20_001, width: 5, bias: true },
};

onDawn("linearLoss on WebGPU", () => {
  let gpu: WebGpuBackend;
  beforeAll(async () => {
    gpu = await createWebGpu({ adapter: await adapterOfDawn() });
  });
  afterAll(() => gpu.dispose());

  it.each(Object.entries(shapes))("%s", async (_name, shape) => {
    const call = randomLinear(shape);
    const options = { metrics: "full", lossType: ["sigmoid", "sft"] } as const;
    expect(missesOfLinear(await gpu.linearLoss(call, options), expectedLinear(call, options))).toEqual([]);
  });

  it("takes half types and references as logits; adds to what is there", async () => {
    const call = randomLinear({ ...base, bias: true });
    const weight = { bf16: toBits("bf16", call.weight as Float32Array) };
    const mixed = { ...call, weight, reference: { logits: logitsOf(call.reference, base.vocab, base.width) } };
    const want = expectedLinear({ ...call, weight });
    const out = { gradWeight: new Float32Array(base.vocab * base.width), gradBias: new Float32Array(base.vocab) };
    for (const times of [1, 2]) {
      const got = await gpu.linearLoss(mixed, { gradType: "f32", accumulate: true, out });
      expect(got.gradWeight).toBe(out.gradWeight);
      const { gradHidden, gradWeight, gradBias } = want.gradients as Record<string, Float64Array>;
      const gradients = {
        gradHidden,
        gradWeight: gradWeight?.map((x) => times * x),
        gradBias: gradBias?.map((x) => times * x),
      };
      expect(missesOfLinear(got, { ...want, gradients } as typeof want)).toEqual([]);
    }
  });

  it("cuts the vocabulary and the tokens where a binding is small", async () => {
    const device = await (await adapterOfDawn()).requestDevice();
    Object.defineProperty(device, "limits", {
      value: { maxStorageBufferBindingSize: 1 << 14, maxBufferSize: 1 << 28, minStorageBufferOffsetAlignment: 256 },
    });
    const small = await createWebGpu({ device });
    for (const rank of [0, 3]) {
      const call = randomLinear({ ...base, pairs: 3, length: 40, vocab: 500, width: 24, bias: true, rank });
      expect(
        missesOfLinear(await small.linearLoss(call, { metrics: "full" }), expectedLinear(call, { metrics: "full" })),
      ).toEqual([]);
    }
    await small.dispose();
    device.destroy();
  });
});

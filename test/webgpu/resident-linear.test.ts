// Hidden states and heads that lie on the GPU, gradients that stay there: the numbers of the js backend.

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createJs } from "../../src/index.ts";
import type { LinearLossOptions, LinearLossResult } from "../../src/types.ts";
import { createWebGpu, type GpuRange, gpuMetrics, type WebGpuBackend } from "../../src/webgpu.ts";
import { excessOver, magnitude, misses, missesNear, vectorNames } from "../support/compare.ts";
import { adapterOfDawn, onDawn } from "../support/dawn.ts";
import { bytesOf, floatsOf as floatsIn, toBuffer } from "../support/gpu-buffers.ts";
import { fromBits, toBits } from "../support/half.ts";
import { type LinearCase, type LinearShape, logitsOf, randomLinear } from "../support/linear.ts";

const js = createJs();
const gradientNames = ["gradHidden", "gradWeight", "gradBias", "gradA", "gradB"] as const;

const base = { pairs: 3, length: 7, vocab: 131, width: 12, seed: 91 };
const shapes: Record<string, LinearShape> = {
  padded: { ...base, holes: 0.3 },
  "packed, bias": { ...base, isPacked: true, bias: true },
  "an adapter": { ...base, rank: 3 },
  "an adapter and a bias, packed": { ...base, isPacked: true, rank: 5, bias: true, width: 11 },
  "no token that counts": { ...base, pairs: 2, length: 1 },
};

/** Options are for what comes after the products: large ones meet one set of them. */
const largeShapes: Record<string, LinearShape> = {
  "two ranges of ids": { ...base, pairs: 1, vocab: 16_400, width: 4 },
  "many tiles": { ...base, pairs: 5, length: 40, vocab: 150, width: 70 },
};

const optionSets: LinearLossOptions[] = [
  { metrics: "full" },
  { lossType: ["ipo", "sft"], ldAlpha: 0.4, gradScale: 16 },
  { lossType: "apo_zero", weighting: "wpo" },
  { lossType: "aot" },
];

onDawn("linearLoss in GPU buffers", () => {
  let gpu: WebGpuBackend;
  beforeAll(async () => {
    gpu = await createWebGpu({ adapter: await adapterOfDawn() });
  });
  afterAll(() => gpu.dispose());

  const onGpu = (array: ArrayBufferView, offset = 0) => toBuffer(gpu.device, array, offset);
  const floatsOf = (range: GpuRange) => floatsIn(gpu.device, range);
  const near = (name: string, got: ArrayLike<number>, want: ArrayLike<number>, share = 1e-5): string[] => {
    const bound = share * magnitude(want) + 1e-6;
    return misses(name, got, want, (g, w) => excessOver(bound, g, w));
  };

  /** The batch with everything that may lie on the GPU there, at odd places. */
  function there({ hidden, weight, bias, lora, reference, ...call }: LinearCase) {
    const put = (floats: unknown, offset: number) => onGpu(floats as Float32Array, offset);
    const head = { hidden: put(hidden, 4), weight: put(weight, 12), ...(bias && { bias: put(bias, 8) }) };
    return {
      ...call,
      ...head,
      ...(lora && { lora: { ...lora, a: put(lora.a, 16), b: put(lora.b, 20) } }),
      reference: {
        hidden: put(reference.hidden, 260),
        weight: put(reference.weight, 0),
        ...(reference.bias && { bias: put(reference.bias, 4) }),
      },
    };
  }

  async function missesOf(got: Record<string, unknown>, want: LinearLossResult): Promise<string[]> {
    const of = async (name: string): Promise<ArrayLike<number>> =>
      ArrayBuffer.isView(got[name]) ? (got[name] as Float32Array) : floatsOf(got[name] as GpuRange);
    const found: string[] = [];
    for (const name of [...vectorNames, "logps", "tokenLogps", "logsumexp"] as const) {
      found.push(...near(name, await of(name), want[name]));
    }
    for (const name of gradientNames) {
      if (want[name]) found.push(...near(name, await of(name), want[name] as Float32Array, 5e-5));
      else if (got[name]) found.push(`${name}: expected none`);
    }
    return found;
  }

  describe.each(Object.entries({ ...shapes, ...largeShapes }))("%s", (name, shape) => {
    const sets = name in largeShapes ? optionSets.slice(0, 1) : optionSets;
    it.each(sets.map((options) => [JSON.stringify(options), options] as const))("%s", async (_name, options) => {
      const call = randomLinear(shape);
      const want = js.linearLoss(call, options);
      const mixed = {
        ...there(call),
        hidden: call.hidden,
        reference: { logps: onGpu(referenceLogps(call, options), 4) },
      };
      for (const given of [call, there(call), mixed]) {
        const got = await gpu.linearLoss(given, { ...options, readback: false });
        expect(await missesOf({ ...got }, want)).toEqual([]);
        const metrics = await floatsOf(got.metrics);
        for (const [k, key] of gpuMetrics.entries()) {
          const wanted = key === "loss" ? want.loss : want.metrics[key];
          if (wanted !== undefined) expect(missesNear(key, [metrics[k] as number], [wanted], 2e-5, 5e-6)).toEqual([]);
        }
        await got.done;
        got.destroy();
      }
      expect(await missesOf({ ...(await gpu.linearLoss(there(call), options)) }, want)).toEqual([]);
    });
  });

  // Of the reference as every backend sums it, rounded to float32.
  function referenceLogps({ reference, tokens, vocab, hiddenSize }: LinearCase, { ldAlpha }: LinearLossOptions) {
    const logits = logitsOf(reference, vocab, hiddenSize);
    return Float32Array.from(js.sequenceLogps({ tokens, vocab, logits }, { ldAlpha }).logps);
  }

  it("writes into the caller's buffers, and adds to what is there", async () => {
    const call = randomLinear({ ...base, bias: true });
    const want = js.linearLoss(call);
    const before = (n: number) => Float32Array.from({ length: n }, (_, i) => (i % 7) / 10);
    const [ofWeight, ofBias] = [before(base.vocab * base.width), before(base.vocab)];
    for (const readback of [true, false] as const) {
      const out = {
        gradWeight: onGpu(ofWeight, 8),
        gradBias: onGpu(ofBias, 4),
        gradHidden: onGpu(call.hidden as Float32Array),
      };
      const options = { accumulate: true, out, readback } as const;
      const got = (await gpu.linearLoss(there(call), options as { readback: false })) as unknown as typeof out;
      const sizes = { gradWeight: ofWeight.byteLength, gradBias: ofBias.byteLength };
      const added = (grad: unknown, old: Float32Array) => old.map((x, i) => x + ((grad as Float32Array)[i] as number));
      expect(got.gradWeight.buffer).toBe(out.gradWeight.buffer);
      const inBuffer = (name: keyof typeof sizes) => floatsOf({ ...out[name], size: sizes[name] });
      expect(near("gradWeight", await inBuffer("gradWeight"), added(want.gradWeight, ofWeight))).toEqual([]);
      expect(near("gradBias", await inBuffer("gradBias"), added(want.gradBias, ofBias))).toEqual([]);
      const size = (call.hidden as Float32Array).byteLength;
      expect(near("gradHidden", await floatsOf({ ...out.gradHidden, size }), want.gradHidden as Float32Array)).toEqual(
        [],
      );
    }
  });

  it("a gradient may go over what it is the gradient of", async () => {
    const call = randomLinear({ ...base, pairs: 5, length: 40, width: 20 });
    const want = js.linearLoss(call);
    const given = there(call);
    const out = { gradHidden: given.hidden, gradWeight: given.weight };
    const got = await gpu.linearLoss(given, { out, readback: false });
    expect(got.gradWeight).toMatchObject({ buffer: given.weight.buffer, offset: given.weight.offset });
    expect(await missesOf({ ...got }, want)).toEqual([]);
  });

  it.each(["f16", "bf16"] as const)("takes and gives %s, of an odd width", async (type) => {
    const call = randomLinear({ ...base, width: 7, vocab: 33, bias: true });
    const bits = (floats: unknown) => toBits(type, floats as Float32Array);
    const [hidden, weight, bias] = [bits(call.hidden), bits(call.weight), bits(call.bias)];
    const widened = {
      ...call,
      hidden: fromBits(type, hidden),
      weight: fromBits(type, weight),
      bias: fromBits(type, bias),
    };
    const want = js.linearLoss(widened);
    const put = (array: Uint16Array, offset: number) => ({ ...onGpu(array, offset), type });
    const given = { ...call, hidden: put(hidden, 4), weight: put(weight, 8), bias: put(bias, 12) };
    const got = await gpu.linearLoss(given, { readback: false });
    for (const name of ["gradHidden", "gradWeight", "gradBias"] as const) {
      const gradient = fromBits(type, new Uint16Array(await bytesOf(gpu.device, got[name] as GpuRange)));
      const wanted = fromBits(type, toBits(type, want[name] as Float32Array));
      expect(gradient.length).toBe((want[name] as Float32Array).length);
      expect(missesNear(name, gradient, wanted, type === "f16" ? 1e-3 : 8e-3, 1e-6)).toEqual([]);
    }
    const wide = await gpu.linearLoss(given, { readback: false, gradType: "f32" });
    expect(await missesOf({ ...wide }, want)).toEqual([]);
  });

  it("hidden states without a gradient do not count, whatever stands in them", async () => {
    const call = randomLinear({ ...base, isPacked: true });
    // The tails of the longer completions, which do not count at all.
    const options = { ldAlpha: 0 } as const;
    const want = js.linearLoss(call, options);
    const hidden = (call.hidden as Float32Array).slice();
    const { pairs, offsets } = call.tokens as { pairs: number; offsets: Int32Array };
    const lengths = Array.from({ length: 2 * pairs }, (_, r) => (offsets[r + 1] as number) - (offsets[r] as number));
    const tails = lengths.flatMap((length, r) => {
      const common = Math.min(length, lengths[(r + pairs) % (2 * pairs)] as number);
      return length > common ? [[(offsets[r] as number) + common, offsets[r + 1] as number] as const] : [];
    });
    expect(tails.length).toBeGreaterThan(0);
    for (const [from, to] of tails) hidden.fill(Number.NaN, from * base.width, to * base.width);
    const got = await gpu.linearLoss({ ...call, hidden: onGpu(hidden) }, { ...options, readback: false });
    for (const name of ["losses", "gradHidden", "gradWeight"] as const) {
      expect(near(name, await floatsOf(got[name] as GpuRange), want[name] as Float32Array, 5e-5)).toEqual([]);
    }
  });

  it("masks, offsets and lengths may lie on the GPU too", async () => {
    for (const isPacked of [false, true]) {
      const call = randomLinear({ ...base, isPacked });
      const tokens = Object.fromEntries(
        Object.entries(call.tokens).map(([name, value]) =>
          ArrayBuffer.isView(value) ? [name, onGpu(Int32Array.from(value as Int32Array), 4)] : [name, value],
        ),
      ) as never;
      const want = js.linearLoss(call);
      expect((await gpu.linearLoss({ ...call, tokens })).loss).toBeCloseTo(want.loss, 5);
      const got = await gpu.linearLoss({ ...call, tokens }, { readback: false });
      expect(await missesOf({ ...got }, want)).toEqual([]);
    }
  });

  it("refuses what does not fit", async () => {
    const call = randomLinear({ ...base, bias: true, rank: 2 });
    const given = there(call);
    const stays = { readback: false } as const;
    const short = onGpu(new Float32Array(8));
    await expect(gpu.linearLoss({ ...given, weight: short }, stays)).rejects.toThrow("weight: expected at least");
    // Nothing is made for a call that is refused, however much it would be.
    for (const hiddenSize of [undefined, "12", -1, 1e12]) {
      await expect(gpu.linearLoss({ ...given, hiddenSize } as never, stays)).rejects.toMatchObject({
        code: expect.stringMatching(/^(wrong-kind|wrong-length|out-of-range)$/),
      });
    }
    for (const hidden of [5, null, "states"]) {
      await expect(gpu.linearLoss({ ...given, hidden } as never, stays)).rejects.toMatchObject({ name: "KindError" });
    }
    for (const tokens of [{}, { pairs: -3, length: 7, inputIds: short }, { offsets: null, targets: short }]) {
      await expect(gpu.linearLoss({ ...given, tokens } as never, stays)).rejects.toMatchObject({
        name: expect.stringMatching(/^(Kind|Shape|Param)Error$/),
      });
    }
    await expect(gpu.linearLoss({ ...given, bias: short })).rejects.toMatchObject({ code: "wrong-length" });
    const half = { ...given, lora: { ...given.lora, a: { ...onGpu(call.lora?.a as Float32Array), type: "f16" } } };
    await expect(gpu.linearLoss(half as never, stays)).rejects.toThrow("lora.a: expected a Float32Array");
    const array = { gradA: new Float32Array(2 * base.width) };
    await expect(gpu.linearLoss(given, { ...stays, out: array })).rejects.toThrow("gradA: expected a GPU buffer");
    await expect(gpu.linearLoss(given, { ...stays, accumulate: true })).rejects.toMatchObject({
      code: "missing-input",
    });
    await expect(gpu.linearLoss(given, { ...stays, out: { losses: new Float32Array(3) } })).rejects.toThrow(
      "out.losses",
    );
    await expect(gpu.linearLoss(given, { validate: "finite" })).rejects.toMatchObject({ code: "unused-option" });
    const inside = { ...given.weight, size: 4 * base.vocab * base.width };
    const beside = { buffer: given.weight.buffer, offset: given.weight.offset + 256 };
    await expect(
      gpu.linearLoss({ ...given, lora: undefined, weight: inside }, { ...stays, out: { gradWeight: beside } }),
    ).rejects.toMatchObject({ name: "ShapeError" });
  });
});

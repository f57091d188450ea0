// sequenceLogps and sequenceLogpsGrad whose results stay on the GPU: of pairs and of any rows, with entropies, from logits and through
// a head, against the js backend.

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createJs } from "../../src/index.ts";
import type { SequencesBatch } from "../../src/types.ts";
import { createWebGpu, type GpuRange, gpuMetrics, type WebGpuBackend } from "../../src/webgpu.ts";
import { excessOver, magnitude, misses } from "../support/compare.ts";
import { adapterOfDawn, onDawn } from "../support/dawn.ts";
import { bytesOf, floatsOf as floatsIn, toBuffer } from "../support/gpu-buffers.ts";
import { randomLinear } from "../support/linear.ts";
import { layouts, randomLogits } from "../support/logits.ts";

const js = createJs();

function asRows(batch: object): SequencesBatch {
  const { tokens, ...rest } = batch as { tokens: { pairs: number; offsets?: unknown } };
  const { pairs, ...others } = tokens;
  return { ...rest, tokens: { ...others, rows: 2 * pairs } } as never;
}

const { reference: _, ...packed } = layouts.packed(
  randomLogits({ pairs: 3, length: 7, vocab: 257, seed: 3, holes: 0.3 }),
).batch;
const { reference: __, ...padded } = layouts.padded(
  randomLogits({ pairs: 2, length: 5, vocab: 33, seed: 4, holes: 0.3 }),
).batch;
const { reference: ___, ...head } = randomLinear({ pairs: 2, length: 6, vocab: 150, width: 13, seed: 5, bias: true });
const { reference: ____, ...adapted } = randomLinear({ pairs: 2, length: 6, vocab: 150, width: 13, seed: 6, rank: 3 });

const batches: Record<string, SequencesBatch> = {
  "packed logits": packed as never,
  "padded logits": padded as never,
  "a head with a bias": head as never,
  "a head with an adapter": adapted as never,
};
const forms = Object.entries(batches).flatMap(([name, batch]) => [
  [`${name}, pairs`, batch] as const,
  [`${name}, rows`, asRows(batch)] as const,
]);

onDawn("log-probs and their gradient, readback: false", () => {
  let gpu: WebGpuBackend;
  beforeAll(async () => {
    gpu = await createWebGpu({ adapter: await adapterOfDawn() });
  });
  afterAll(() => gpu.dispose());

  const floatsOf = (range: GpuRange) => floatsIn(gpu.device, range);
  const near = (name: string, got: ArrayLike<number>, want: ArrayLike<number>): string[] => {
    const bound = 1e-5 * magnitude(want) + 1e-6;
    return misses(name, got, want, (g, w) => excessOver(bound, g, w));
  };

  describe.each(forms)("%s", (_name, batch) => {
    it.each([{}, { logitSoftcap: 3, temperature: 0.7 }])("sequenceLogps with entropies, %j", async (transform) => {
      const want = js.sequenceLogps(batch, { ...transform, entropy: true, metrics: "full" });
      const got = await gpu.sequenceLogps(batch as never, {
        ...transform,
        entropy: true,
        metrics: "full",
        readback: false,
      });
      await got.done;
      for (const name of ["logps", "tokenLogps", "logsumexp", "entropy"] as const) {
        expect(near(name, await floatsOf(got[name] as GpuRange), want[name] as ArrayLike<number>)).toEqual([]);
      }
      const metrics = await floatsOf(got.metrics);
      const named = { "logps/mean": "logps/chosen", "logits/mean": "logits/chosen" } as Record<string, string>;
      for (const [key, value] of Object.entries(want.metrics)) {
        const at = gpuMetrics.indexOf((named[key] ?? key) as (typeof gpuMetrics)[number]);
        expect(near(key, [metrics[at] as number], [value])).toEqual([]);
      }
      got.destroy();
    });

    it("has no entropy that was not asked for", async () => {
      const got = await gpu.sequenceLogps(batch as never, { readback: false });
      expect("entropy" in got && got.entropy !== undefined).toBe(false);
      await got.done;
      got.destroy();
    });

    it.each([
      ["log-probs of tokens", ["tokenLogps"]],
      ["all three", ["logps", "tokenLogps", "entropy"]],
      ["entropies alone", ["entropy"]],
    ] as const)("sequenceLogpsGrad of %s", async (_of, names) => {
      const forward = js.sequenceLogps(batch, { entropy: true });
      const all = {
        logps: forward.logps.map((_, i) => Math.cos(i)),
        tokenLogps: forward.tokenLogps.map((_, i) => (i % 4 === 0 ? 0 : Math.sin(i))),
        entropy: (forward.entropy as Float32Array).map((_, i) => (i % 3 === 0 ? 0 : Math.cos(2 * i))),
      };
      const slopes = Object.fromEntries(names.map((name) => [name, all[name]]));
      const options = { gradScale: 4, logitSoftcap: 5 };
      const want = js.sequenceLogpsGrad(batch, slopes, options) as Record<string, Float32Array | undefined>;
      const got = await gpu.sequenceLogpsGrad(batch as never, slopes, { ...options, readback: false });
      await got.done;
      for (const [name, values] of Object.entries(want)) {
        if (values === undefined) continue;
        expect(near(name, await floatsOf(got[name as "gradLogits"] as GpuRange), values)).toEqual([]);
      }
      got.destroy();
    });
  });

  it("writes over logits on the GPU and into buffers of the caller's", async () => {
    const slopes = { tokenLogps: new Float32Array(js.sequenceLogps(packed as never).tokenLogps.length).fill(0.5) };
    const want = js.sequenceLogpsGrad(packed as never, slopes).gradLogits as Float32Array;
    const logits = toBuffer(gpu.device, (packed as { logits: Float32Array }).logits, 4);
    const over = await gpu.sequenceLogpsGrad({ ...packed, logits } as never, slopes, {
      inPlace: true,
      readback: false,
    });
    expect(over.gradLogits?.buffer).toBe(logits.buffer);
    expect(near("over", await floatsOf(over.gradLogits as GpuRange), want)).toEqual([]);
    const gradLogits = toBuffer(gpu.device, new Float32Array(want.length).fill(7), 8);
    const kept = await gpu.sequenceLogpsGrad(packed as never, slopes, { out: { gradLogits }, readback: false });
    expect(near("out", await floatsOf({ ...gradLogits, size: 4 * want.length }), want)).toEqual([]);
    expect(kept.gradLogits?.buffer).toBe(gradLogits.buffer);
  });

  it("counts ids on the GPU that are out of range", async () => {
    const { tokens } = packed as unknown as { tokens: { targets: Int32Array } };
    const targets = toBuffer(
      gpu.device,
      tokens.targets.map(() => 40_000),
      4,
    );
    const slopes = { tokenLogps: new Float32Array(tokens.targets.length) };
    const batch = asRows({ ...packed, tokens: { ...tokens, targets } });
    for (const got of [
      await gpu.sequenceLogps(batch as never, { readback: false }),
      await gpu.sequenceLogpsGrad(batch as never, slopes, { readback: false }),
    ]) {
      const words = new Uint32Array(await bytesOf(gpu.device, got.metrics));
      expect(words[gpuMetrics.indexOf("clamped_ids")]).toBeGreaterThan(0);
      got.destroy();
    }
  });

  it("refuses arrays of the caller's, and what would be read back", async () => {
    const slopes = { logps: new Float64Array(4) };
    const call = (options: object) =>
      gpu.sequenceLogpsGrad(head as never, slopes, { ...options, readback: false } as { readback: false });
    await expect(call({ out: { gradHidden: new Float32Array(1) } })).rejects.toThrow(
      "gradHidden: expected a GPU buffer",
    );
    await expect(call({ validate: "finite" })).rejects.toThrow("validate");
    await expect(gpu.sequenceLogpsGrad(head as never, slopes, { readback: 1 } as never)).rejects.toThrow("readback");
  });
});

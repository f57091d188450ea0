// sequenceLogps and logitsLoss on the GPU: TRL's own numbers, and the js backend's over layouts, types, sizes and options.

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createJs } from "../../src/index.ts";
import type { Floats, LossOptions } from "../../src/types.ts";
import { createWebGpu, type WebGpuBackend } from "../../src/webgpu.ts";
import { excessOver, magnitude, meanMagnitude, misses, missesNear, missesSame } from "../support/compare.ts";
import { adapterOfDawn, onDawn } from "../support/dawn.ts";
import { optionsOf, readGolden } from "../support/golden.ts";
import { type LogitsCase, logitsOfRows, type Rows, withLastColumn } from "../support/golden-logits.ts";
import { fromBits, toBits, wrappers } from "../support/half.ts";
import { layoutNames, layouts, randomLogits } from "../support/logits.ts";
import { expectedOf, missesOfExpected } from "../support/logits-expected.ts";
import { arrayNames, rawOf } from "../support/logits-results.ts";

const { batches, cases } = readGolden<{ batches: Record<string, Rows>; cases: LogitsCase[] }>("pipeline.json");
const js = createJs();

const within = (bound: (want: number) => number) => (got: number, want: number) => excessOver(bound(want), got, want);

const shapes = [
  { pairs: 1, length: 2, vocab: 1, seed: 1 },
  { pairs: 2, length: 5, vocab: 2, seed: 2 },
  { pairs: 3, length: 6, vocab: 257, seed: 3, holes: 0.3 },
  { pairs: 2, length: 5, vocab: 1003, seed: 4, spread: 8 },
  { pairs: 1, length: 3, vocab: 16385, seed: 5 },
  { pairs: 1, length: 3, vocab: 151_936, seed: 6 },
];

const optionSets: (LossOptions & { gradScale?: number; metrics: "full" })[] = [
  { metrics: "full" },
  { lossType: "ipo", ldAlpha: 0.4, metrics: "full" },
  { lossType: ["sigmoid", "bco_pair", "sft"], lossWeights: [0.8, 0.2, 1], gradScale: 64, metrics: "full" },
  { lossType: "apo_zero", weighting: "wpo", metrics: "full" },
  { lossType: "aot", metrics: "full" },
];

const halfBits = (floats: Floats): ArrayLike<number> =>
  floats instanceof Float16Array ? new Uint16Array(floats.buffer) : rawOf(floats);

onDawn("logits on WebGPU", () => {
  let gpu: WebGpuBackend;
  beforeAll(async () => {
    gpu = await createWebGpu({ adapter: await adapterOfDawn() });
  });
  afterAll(() => gpu.dispose());

  describe.each(layoutNames)("pipeline.json, %s", (layout) => {
    it.each(cases.map((golden) => [golden.id, golden] as const))("%s", async (_id, golden) => {
      const { f64, loss_types, loss_weights } = golden;
      const options = optionsOf(golden, "1.9.2");
      const { batch, unpack } = layouts[layout](logitsOfRows(batches[golden.batch] as Rows));
      const weights = loss_weights ?? loss_types.map(() => 1);
      const lists = f64.per_pair as number[][];
      const losses = (lists[0] as number[]).map((_, i) =>
        lists.reduce((sum, list, j) => sum + (weights[j] as number) * (list[i] as number), 0),
      );
      const gradient = f64.grad_logits.flat(2);
      const floor = (2e-7 * (options.beta ?? 0.1)) / losses.length;
      const got = await gpu.logitsLoss(batch, { ...options, metrics: "full" });
      const sums = [...(f64.policy_chosen_logps ?? []), ...(f64.policy_rejected_logps ?? [])];
      const tokens = withLastColumn(f64.per_token_logps as number[][]);
      const ofLosses = (want: number): number => 1e-5 * Math.max(Math.abs(want), magnitude(losses)) + floor;
      const ofLoss = 1e-5 * meanMagnitude(losses) + floor;
      const ofGradient = 1e-5 * magnitude(gradient) + floor;
      const gradLogits = unpack(got.gradLogits as Float32Array, batch.vocab);
      expect([
        ...misses(
          "loss",
          [got.loss],
          [f64.loss],
          within(() => ofLoss),
        ),
        ...misses("losses", got.losses, losses, within(ofLosses)),
        ...misses(
          "gradLogits",
          gradLogits,
          gradient,
          within(() => ofGradient),
        ),
        ...missesNear("tokenLogps", unpack(got.tokenLogps, 1), tokens, 2.5e-7, 2e-6),
        ...missesNear("logps", got.logps, sums, 2.5e-7, 2e-6),
        ...Object.entries(f64.metrics).flatMap(([key, want]) =>
          key === "num_tokens" ? [] : missesNear(key, [got.metrics[key] as number], [want], 1e-5, 2e-6),
        ),
      ]).toEqual([]);
    });
  });

  describe.each(layoutNames)("is as expected in float64, %s", (layout) => {
    it.each(shapes.map((shape) => [shape.vocab, shape] as const))("V = %i", async (_vocab, shape) => {
      const padded = randomLogits(shape);
      const { batch, unpack } = layouts[layout](padded);
      for (const options of optionSets) {
        const got = await gpu.logitsLoss(batch, options);
        const gradient = unpack(got.gradLogits as Float32Array, batch.vocab);
        expect(missesOfExpected(got, unpack(got.tokenLogps, 1), gradient, expectedOf(padded, options))).toEqual([]);
      }
      const { logps, tokenLogps, logsumexp, metrics } = js.sequenceLogps(batch, { metrics: "full" });
      const got = await gpu.sequenceLogps(batch, { metrics: "full" });
      expect([
        ...missesNear("logps", got.logps, logps, 1e-6, 2e-6),
        ...missesNear("tokenLogps", got.tokenLogps, tokenLogps, 2.5e-7, 2e-6),
        ...missesNear("logsumexp", got.logsumexp, logsumexp, 2.5e-7, 1e-6),
        ...Object.keys(metrics).flatMap((key) =>
          missesNear(key, [got.metrics[key] as number], [metrics[key] as number], 1e-6, 2e-6),
        ),
      ]).toEqual([]);
    });
  });

  describe.each(Object.entries(wrappers))("%s", (_name, { type, wrap }) => {
    it.each(shapes.slice(0, 4).map((shape) => [shape.vocab, shape] as const))(
      "V = %i: as the widened logits",
      async (_v, shape) => {
        const { batch } = layouts.packed(randomLogits(shape));
        const bits = [batch.logits, batch.reference.logits].map((logits) => toBits(type, logits)) as [
          Uint16Array,
          Uint16Array,
        ];
        const [logits, reference] = bits.map((half) => fromBits(type, half)) as [Float32Array, Float32Array];
        const widened = { ...batch, logits, reference: { logits: reference } };
        const halves = { ...batch, logits: wrap(bits[0]), reference: { logits: wrap(bits[1]) } };
        for (const gradScale of [1, 2 ** -12, 2 ** 20]) {
          const want = await gpu.logitsLoss(widened, { gradScale });
          const wide = await gpu.logitsLoss(halves, { gradScale, gradType: "f32" });
          for (const name of arrayNames) expect(missesNear(name, wide[name] ?? [], want[name] ?? [], 0)).toEqual([]);
          expect(missesSame("f32", rawOf(wide.gradLogits), rawOf(want.gradLogits))).toEqual([]);
          const rounded = toBits(type, want.gradLogits as Float32Array);
          const half = await gpu.logitsLoss(halves, { gradScale });
          expect(missesSame("half", halfBits(half.gradLogits), rounded)).toEqual([]);
          const own = { ...halves, logits: wrap(bits[0].slice()) };
          const over = await gpu.logitsLoss(own, { gradScale, inPlace: true });
          expect(over.gradLogits).toBe(own.logits);
          expect(missesSame("in place", halfBits(own.logits), rounded)).toEqual([]);
        }
      },
    );
  });
});

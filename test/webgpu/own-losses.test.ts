// Losses of the user's own on WebGPU: their functions run here, on the numbers of the pairs.

import { afterAll, beforeAll, expect, it } from "vitest";
import { BackendError, createJs, defineLoss } from "../../src/index.ts";
import { createWebGpu, type WebGpuBackend } from "../../src/webgpu.ts";
import { missesNear, vectorNames } from "../support/compare.ts";
import { adapterOfDawn, onDawn } from "../support/dawn.ts";
import { layouts, randomLogits } from "../support/logits.ts";
import { randomPairs } from "../support/pairs.ts";

const js = createJs();
const words = { title: "squared" };
const params = { beta: { default: 0.1, min: 0, max: 10 } };
const squared = defineLoss({
  ...words,
  id: "squared",
  params,
  margin: (d, beta) => [(beta * d - 1) * (beta * d - 1), 2 * beta * (beta * d - 1)],
});
const uneven = defineLoss({
  ...words,
  id: "uneven",
  params,
  pair: (a, c, beta) => [beta * (a * a - c), 2 * beta * a, -beta],
});
const lists = [[squared], [uneven], ["sigmoid", squared, "sft"], [uneven, "aot"]] as const;
const { batch } = layouts.padded(randomLogits({ pairs: 3, length: 5, vocab: 33, seed: 4 }));
const hidden = Float32Array.from({ length: 6 * 4 }, (_, i) => Math.sin(i));
const head = {
  tokens: { pairs: 1, offsets: Int32Array.of(0, 3, 6), targets: Int32Array.of(1, 2, 3, 4, 5, 6) },
  vocab: 9,
  hiddenSize: 4,
  hidden,
  weight: Float32Array.from({ length: 9 * 4 }, (_, i) => Math.cos(3 * i)),
  reference: { logps: Float64Array.of(-6, -7) },
};

onDawn("losses of one's own on WebGPU", () => {
  let gpu: WebGpuBackend;
  beforeAll(async () => {
    gpu = await createWebGpu({ adapter: await adapterOfDawn() });
  });
  afterAll(() => gpu.dispose());

  const near = (name: string, got: ArrayLike<number>, want: ArrayLike<number>): string[] => {
    const largest = Array.from(want).reduce((most, x) => Math.max(most, Math.abs(x)), 0);
    return missesNear(name, got, want, 0, 5e-5 * largest + 1e-9);
  };

  it.each(lists.map((list) => [list.map((loss) => (typeof loss === "string" ? loss : loss.id)), list] as const))(
    "%j: as on js",
    async (_ids, list) => {
      const options = { lossType: [...list], beta: 0.2, lossWeights: list.map((_, i) => 1 + i) };
      const pairs = randomPairs(50, 3);
      const [got, want] = [await gpu.pairLoss(pairs, options), js.pairLoss(pairs, options)];
      for (const name of vectorNames) expect(got[name]).toEqual(want[name]);
      expect(got.loss).toBe(want.loss);
      expect(got.metrics).toEqual(want.metrics);
      const logits = [await gpu.logitsLoss(batch, options), js.logitsLoss(batch, options)] as const;
      const linear = [await gpu.linearLoss(head, options), js.linearLoss(head, options)] as const;
      expect([
        ...near("gradLogits", logits[0].gradLogits as Float32Array, logits[1].gradLogits as Float32Array),
        ...near("losses", logits[0].losses, logits[1].losses),
        ...near("gradWeight", linear[0].gradWeight as Float32Array, linear[1].gradWeight as Float32Array),
        ...near("losses of hidden", linear[0].losses, linear[1].losses),
      ]).toEqual([]);
    },
  );

  it("is refused where nothing is read back", async () => {
    const options = { lossType: squared, readback: false } as const;
    for (const call of [gpu.pairLoss(randomPairs(5, 1), options), gpu.logitsLoss(batch, options)]) {
      await expect(call).rejects.toBeInstanceOf(BackendError);
      await expect(call).rejects.toThrow("squared: a loss of your own has no shader");
    }
  });
});

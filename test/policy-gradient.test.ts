// The example of a loss of one's own: a clipped policy gradient, its gradient against finite differences on every backend.

import { expect, it } from "vitest";
import { clippedPolicyGradient } from "../examples/policy-gradient/loss.ts";
import { createJs } from "../src/index.ts";
import type { SequencesBatch } from "../src/types.ts";
import { onEachBackend } from "./support/backends.ts";
import { excessOver, magnitude, misses } from "./support/compare.ts";
import { randomLinear } from "./support/linear.ts";

const made = randomLinear({ pairs: 2, length: 6, vocab: 17, width: 5, seed: 91 });
const { pairs: _, ...padded } = made.tokens as {
  pairs: number;
  length: number;
  inputIds: Int32Array;
  completionMask: Uint8Array;
};
const { hidden, weight, vocab, hiddenSize } = made;
const batch = { tokens: { ...padded, rows: 4 }, vocab, hiddenSize, hidden, weight };
const js = createJs();
const before = { ...batch, hidden: (hidden as Float32Array).map((x, i) => x + 0.2 * Math.sin(i)) };
const rollout = {
  advantages: Float32Array.of(1.2, -0.7, 0.4, -1.1),
  oldTokenLogps: js.sequenceLogps(before).tokenLogps,
};
const options = { epsilon: 0.2, bonus: 0.05 };

const lossAt = async (moved: Partial<SequencesBatch>): Promise<number> =>
  (await clippedPolicyGradient(js, { ...batch, ...moved } as typeof batch, rollout, options)).loss;

/** Central differences at a few places. */
async function differences(name: "hidden" | "weight", places: readonly number[]): Promise<number[]> {
  const values = batch[name] as Float32Array;
  const step = 2 ** -9;
  const at = (i: number, by: number) => lossAt({ [name]: values.map((x, j) => (j === i ? x + by : x)) });
  return Promise.all(places.map(async (i) => ((await at(i, step)) - (await at(i, -step))) / (2 * step)));
}

const places = Array.from({ length: 24 }, (_, k) => 3 * k + 1);
const want = { hidden: await differences("hidden", places), weight: await differences("weight", places) };

onEachBackend((backend) => {
  it("clips some tokens and not others, and is the gradient of its loss", async () => {
    const { loss, gradients } = await clippedPolicyGradient(backend, batch, rollout, options);
    expect(loss).toBeCloseTo(await lossAt({}), 5);
    for (const [name, key] of [
      ["gradHidden", "hidden"],
      ["gradWeight", "weight"],
    ] as const) {
      const own = places.map((i) => (gradients[name] as Float32Array)[i] as number);
      const bound = 2e-3 * magnitude(want[key]) + 2e-5;
      expect(misses(name, own, want[key], (g, w) => excessOver(bound, g, w))).toEqual([]);
    }
    expect(magnitude(want.hidden)).toBeGreaterThan(0.01);
  });
});

// What holds for every batch, loss and option: agreement of backends, and how results move when inputs are put in another
// order, cut in two, weighted, scaled. How arrays lie in memory: properties-memory.test.ts.

import { describe, expect, it } from "vitest";
import { times } from "../src/losses/factor.ts";
import type { PairLossResult } from "../src/types.ts";
import { type Call, checkCalls, separable, sorted, type Wishes, withoutTies } from "./support/arbitraries.ts";
import { onEachBackend, onEachWasm } from "./support/backends.ts";
import { exactly, missesOfBound } from "./support/bound.ts";
import { magnitude, meanMagnitude, misses, missesBits, missesNear, vectorNames } from "./support/compare.ts";
import { inOrder, part, randomFrom, wide } from "./support/pairs.ts";
import { isSorted, table } from "./support/variants.ts";

const bits = (got: number, want: number): number => (Object.is(got + 0, want + 0) ? 0 : Infinity);

/** The vectors that stay by pair: all but the losses of a sorted loss, which are by rank. */
const byPair = ({ options }: Call) =>
  options.lossType.some((id) => isSorted(table[id])) ? (["gradChosen", "gradRejected"] as const) : vectorNames;

function permutation(count: number): Uint32Array {
  const random = randomFrom(count);
  const order = Uint32Array.from({ length: count }, (_, i) => i);
  for (let i = count - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [order[i], order[j]] = [order[j] as number, order[i] as number];
  }
  return order;
}

/** The loss in the units of its own rounding: the mean of |losses|. */
const missesOfLoss = (got: number, want: PairLossResult, relative: number, loss = want.loss): string[] =>
  missesNear("loss", [got], [loss], relative, relative * meanMagnitude(want.losses) + 1e-12);

onEachWasm((backend) => {
  it("agrees with the float64 definitions within the bound of docs/numerics.md", async () => {
    await checkCalls({ most: 1 }, async ({ pairs, options }) => {
      const exact = exactly(pairs, options);
      expect(missesOfBound(await backend.pairLoss(pairs, options), exact.base, exact, options.beta ?? 0.1)).toEqual([]);
    });
  });
});

onEachBackend((backend, kind) => {
  // The first of the same calls where each takes milliseconds.
  const check = (wishes: Wishes, property: (call: Call) => Promise<void>): Promise<void> =>
    checkCalls(wishes, property, kind === "webgpu" ? 24 : 60);
  const call = async ({ pairs, options }: Call, more = {}): Promise<PairLossResult> =>
    backend.pairLoss(pairs, { ...options, ...more });

  describe("order", () => {
    it("another order of pairs is another order of gradients, bit for bit", async () => {
      await check({ losses: [...separable, ...sorted] }, async ({ pairs, options }) => {
        const made = { pairs: withoutTies(pairs), options };
        const order = permutation(made.pairs.policyChosen.length);
        const got = await call({ ...made, pairs: inOrder(made.pairs, order) });
        const want = await call(made);
        for (const name of byPair(made)) {
          const moved = want[name].map((_, i) => want[name][order[i] as number] as number);
          expect(misses(name, got[name], moved, bits)).toEqual([]);
        }
        expect(missesOfLoss(got.loss, want, 1e-6)).toEqual([]);
      });
    });

    it("the losses of a sorted loss are by rank: in another order they are the same", async () => {
      await check({ losses: sorted }, async (made) => {
        const order = permutation(made.pairs.policyChosen.length);
        const got = await call({ ...made, pairs: inOrder(made.pairs, order) });
        expect(misses("losses", got.losses, (await call(made)).losses, bits)).toEqual([]);
      });
    });
  });

  describe("scale", () => {
    it("lossWeights twice as large give a loss and gradients twice as large", async () => {
      await check({}, async (made) => {
        const got = await call(made, { lossWeights: made.options.lossWeights.map((weight) => 2 * weight) });
        const want = await call(made);
        for (const name of vectorNames) {
          // Twice a number beyond the range is none; below it, denormals lose their last bit.
          const twice = want[name].map((value) => 2 * value);
          expect(missesNear(name, got[name], twice, 0, 1e-44)).toEqual([]);
        }
        expect(missesOfLoss(got.loss, want, 1e-12, 2 * want.loss)).toEqual([]);
      });
    });

    it("gradScale scales the gradients and nothing else", async () => {
      await check({}, async (made) => {
        const got = await call(made, { gradScale: -4 });
        const want = await call(made);
        expect(misses("losses", got.losses, want.losses, bits)).toEqual([]);
        for (const name of ["gradChosen", "gradRejected"] as const) {
          const scaled = want[name].map((slope) => -4 * slope);
          expect(missesNear(name, got[name], scaled, 0, 1e-43)).toEqual([]);
        }
        expect(got.loss).toBe(want.loss);
        expect(got.metrics).toEqual(want.metrics);
      });
    });

    it("pairWeights multiply the losses and gradients of their pairs", async () => {
      await check({ losses: separable, most: 1 }, async ({ pairs, options }) => {
        const { pairWeights = pairs.policyChosen.map((_, i) => (i % 7) / 4), ...plain } = pairs;
        const got = await backend.pairLoss({ ...plain, pairWeights }, options);
        const want = await backend.pairLoss(plain, options);
        for (const name of vectorNames) {
          const weighted = want[name].map((value, i) => value * (pairWeights[i] as number));
          // On a GPU denormals may be flushed.
          expect(missesNear(name, got[name], weighted, 2e-7, kind === "webgpu" ? 2 ** -126 : 1e-43)).toEqual([]);
        }
        const sum = got.losses.reduce((total, loss) => total + loss, 0);
        expect(missesOfLoss(got.loss, got, 1e-5, sum / got.losses.length)).toEqual([]);
      });
    });
  });

  describe("sums", () => {
    it("a batch cut in two: the loss is the mean of the two, weighted by pairs, and the gradients are theirs", async () => {
      await check({ losses: separable }, async ({ pairs, options }) => {
        const count = pairs.policyChosen.length;
        if (count < 2) return;
        const cut = 1 + (count % (count - 1));
        const head = await backend.pairLoss(part(pairs, 0, cut), options);
        const tail = await backend.pairLoss(part(pairs, cut, count), options);
        const want = await backend.pairLoss(pairs, options);
        const mean = (head.loss * cut + tail.loss * (count - cut)) / count;
        expect(missesOfLoss(mean, want, 1e-6)).toEqual([]);
        for (const name of ["gradChosen", "gradRejected"] as const) {
          const joined = Array.from(want[name], (_, i) =>
            i < cut
              ? ((head[name][i] as number) * cut) / count
              : ((tail[name][i - cut] as number) * (count - cut)) / count,
          );
          expect(missesNear(name, joined, want[name], 1e-6, 1e-6 * magnitude(want[name]) + 1e-40)).toEqual([]);
        }
      });
    });

    it("several losses are the weighted sum of each alone", async () => {
      await check({}, async ({ pairs, options }) => {
        const { lossType, lossWeights, beta, ...rest } = options;
        const { referenceFree, fDivergence, fAlpha } = rest;
        const alone: PairLossResult[] = [];
        for (const id of lossType) {
          const own = table[id].reference ? { beta, referenceFree, fDivergence, fAlpha } : { beta };
          alone.push(await backend.pairLoss(pairs, { lossType: id, ...own }));
        }
        const got = await backend.pairLoss(pairs, options);
        const sum = (value: (result: PairLossResult) => number): number =>
          alone.reduce((total, result, j) => total + times(lossWeights[j] as number, value(result)), 0);
        const size = (value: (result: PairLossResult) => number): number =>
          alone.reduce((total, result, j) => total + Math.abs(times(lossWeights[j] as number, value(result))), 0);
        for (const name of vectorNames) {
          const lines = misses(name, got[name], got[name], (g, _, i) => {
            const at = (result: PairLossResult): number => result[name][i] as number;
            return Math.abs(g - sum(at)) / (1e-6 * size(at) + 1e-42);
          });
          expect(lines).toEqual([]);
        }
        const bound = 1e-6 * size((result) => meanMagnitude(result.losses)) + 1e-12;
        expect(Math.abs(got.loss - sum(({ loss }) => loss))).toBeLessThanOrEqual(bound);
      });
    });
  });

  it("the same numbers in float32 and float64 arrays give the same result within the bound", async () => {
    await check({ float64: false, most: 1 }, async ({ pairs, options }) => {
      const want = await backend.pairLoss(pairs, options);
      const got = await backend.pairLoss(wide(pairs), options);
      expect(missesOfBound(got, want, exactly(pairs, options), options.beta ?? 0.1)).toEqual([]);
    });
  });

  it("a free reference is a reference of 0, bit for bit, but for the rewards", async () => {
    const relative = [...separable, ...sorted].filter((id) => table[id].reference);
    await check({ losses: relative }, async ({ pairs, options }) => {
      const zeros = pairs.policyChosen.map(() => 0);
      const zeroed = { ...pairs, referenceChosen: zeros, referenceRejected: zeros };
      const free = await backend.pairLoss(pairs, { ...options, referenceFree: true });
      expect(missesBits(free, await backend.pairLoss(zeroed, { ...options, referenceFree: false }))).toEqual([]);
      const { policyChosen, policyRejected, referenceChosen: _c, referenceRejected: _r, ...rest } = pairs;
      const without = { policyChosen, policyRejected, ...rest };
      expect(missesBits(free, await backend.pairLoss(without, { ...options, referenceFree: true }))).toEqual([]);
      const rewards = (await backend.pairLoss(pairs, { ...options, referenceFree: false })).metrics["rewards/chosen"];
      expect(free.metrics["rewards/chosen"]).toBe(rewards);
    });
  });

  it("the same call twice gives the same bits, whatever was called in between", async () => {
    await check({}, async (made) => {
      const first = await call(made);
      const { pairWeights: _, ...pairs } = part(made.pairs, 0, 1);
      await backend.pairLoss(pairs, { lossType: ["aot", "exo_pair"], labelSmoothing: 0.2, lossWeights: [1, 2] });
      expect(missesBits(await call(made), first)).toEqual([]);
    });
  });
});

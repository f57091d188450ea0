// How many digits the float32 kernels keep, entry by entry, against the definitions in float64. docs/numerics.md has these
// figures; the worst that was measured stands beside each bound.

import { describe, expect, it } from "vitest";
import { createJs } from "../src/index.ts";
import type { PairLossResult } from "../src/types.ts";
import { onEachWasm } from "./support/backends.ts";
import { exactly } from "./support/bound.ts";
import { excessOver, misses, missesNear, vectorNames } from "./support/compare.ts";
import { type FullPairs, randomFrom, randomPairs, wide } from "./support/pairs.ts";
import {
  isLikelihood,
  isNormalised,
  isSorted,
  plainVariants,
  table,
  type Variant,
  variants,
} from "./support/variants.ts";

const js = createJs();
const BETA = 1 / 8;
const COUNT = 4003;

/**
 * Pairs whose rewards and margins are exact in float32: what is left is the error of the kernels themselves. |x|, |y| and |z|
 * lie in [least, 80].
 */
function exactPairs(seed: number, least: number): FullPairs {
  const random = randomFrom(seed);
  const pairs = randomPairs(COUNT, seed);
  const reward = (): number => {
    const size = least + (80 - least) * random() ** 2;
    return Math.round((random() < 0.5 ? -size : size) * 128) / 128;
  };
  for (let i = 0; i < COUNT; ) {
    const [x, y] = [reward(), reward()];
    if (Math.abs(x - y) < least || Math.abs(x - y) > 80) continue;
    [pairs.policyChosen[i], pairs.policyRejected[i]] = [x / BETA, y / BETA];
    i++;
  }
  const zeros = new Float32Array(COUNT);
  const ones = new Float32Array(COUNT).fill(1);
  return { ...pairs, referenceChosen: zeros, referenceRejected: zeros, chosenLengths: ones, rejectedLengths: ones };
}

// Hyperparameters that are exact in float32 too: rounding them is no error of the kernels.
const dyadic: Variant[] = plainVariants
  // β is not inside ORPO's logistic: what it saturates in is below.
  .filter(({ id, loss }) => !isLikelihood(loss) && !isSorted(loss) && id !== "orpo")
  .flatMap(({ id, loss }) => {
    // AlphaPO's powers err as those of the f-divergences do: below.
    const tuned = Object.keys(loss.params).filter((name) => name !== "beta" && name !== "alphapoAlpha");
    return [{}, ...tuned.map((name) => ({ [name]: 0.25 }))].map((params) => ({
      name: [id, ...Object.keys(params)].join(", "),
      id,
      loss: table[id],
      options: { lossType: id, beta: BETA, ...params },
    }));
  });

// Their gradient is a sum of parts of both signs: near its zero, digits cancel.
const crosses = (name: string): boolean =>
  ["exo_pair", "nca_pair", "discopop", "rpo_fwd_kl"].some((start) => name.startsWith(start)) ||
  /^(cpo_sigmoid|sigmoid|simpo), labelSmoothing/.test(name);

type Vectors = Pick<PairLossResult, (typeof vectorNames)[number]>;

/** Gradients off by more than `relative`·|w|. */
const missesOfGradients = (got: Vectors, want: Vectors, relative: number): string[] =>
  (["gradChosen", "gradRejected"] as const).flatMap((name) => missesNear(name, got[name], want[name], relative));

/** What an entry may be off where its parts cancel: 4e-7 of full scale, which is β for gradients. */
const ofFullScale = (name: keyof Vectors, beta: number): number => 4e-7 * (name === "losses" ? 1 : beta);

const saturated = exactPairs(41, 8);
const anywhere = exactPairs(42, 0);

onEachWasm((backend) => {
  describe.each(dyadic)("$name", ({ name, options }) => {
    const call = { ...options, gradScale: COUNT };

    it("gradients keep 6e-7, five units in the last place, where they saturate", async () => {
      // Measured: 4.1e-7 (exo_pair).
      const want = js.pairLoss(wide(saturated), call);
      const got = await backend.pairLoss(saturated, call);
      expect(missesOfGradients(got, want, 6e-7)).toEqual([]);
    });

    it("losses and gradients keep 1e-6 of themselves or 4e-7 of full scale everywhere", async () => {
      // Measured: 0.9 of that (discopop, whose slope has parts of 1/(4τ) = 5).
      const want = js.pairLoss(wide(anywhere), call);
      const got = await backend.pairLoss(anywhere, call);
      const lines = vectorNames.flatMap((key) => missesNear(key, got[key], want[key], 1e-6, ofFullScale(key, BETA)));
      expect(lines).toEqual([]);
    });

    if (crosses(name)) return;

    it("gradients keep 6e-7 everywhere", async () => {
      // Measured: 4.7e-7 (apo_down, whose two parts would cancel where |z| ≈ |x|).
      const want = js.pairLoss(wide(anywhere), call);
      const got = await backend.pairLoss(anywhere, call);
      expect(missesOfGradients(got, want, 6e-7)).toEqual([]);
    });
  });

  // Log-probs with all their bits: rounding the log-ratios moves the answer as moving the inputs by 2^-24 does. Divided by
  // two lengths, the α-divergence's constant 1/(α−1) stays in the margin: 1000 near 1, which β·d bears to 2^-24 of that.
  describe.each([4, 100])("for policies within %d nats of the reference", (spread) => {
    const pairs = randomPairs(1003, 43, spread);

    it.each(variants.filter(({ loss }) => !isLikelihood(loss)))("$name", async ({ loss, options }) => {
      const { fAlpha = 0 } = options;
      const relative = isNormalised(loss) && Math.abs(fAlpha - 1) < 1e-2 ? 1e-5 : 2e-6;
      const call = { ...options, gradScale: 1003 };
      const { base, moved } = exactly(pairs, call);
      const got = await backend.pairLoss(pairs, call);
      const lines = vectorNames.flatMap((name) =>
        misses(name, got[name], base[name], (g, w, i) => {
          const moves = moved.map((other) => Math.abs((other[name][i] as number) - w)).filter(Number.isFinite);
          const bound = relative * Math.abs(w) + 2 * Math.max(...moves);
          return excessOver(bound + ofFullScale(name, options.beta ?? 0.1), g, w);
        }),
      );
      expect(lines).toEqual([]);
    });
  });
});

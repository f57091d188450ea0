// Every loss, under every f-divergence, against arithmetic of 75 digits: entry by entry, over log-ratios from 1e-3 to 300,
// around the zeros and kinks of each loss, and where powers leave float32. No entry is excused by a larger one beside it.

import { describe, expect, it } from "vitest";
import type { LossRecord } from "../src/losses/kinds.ts";
import type { LossOptions } from "../src/types.ts";
import { onEachBackend } from "./support/backends.ts";
import { exactly } from "./support/bound.ts";
import { vectorNames } from "./support/compare.ts";
import { exactIds, exactLoss } from "./support/exact.ts";
import { narrow, pairsOf } from "./support/pairs.ts";
import { plainVariants, takesDivergence, type Variant } from "./support/variants.ts";

const betas = [1e-3, 0.1, 1, 100];
const tuned: Record<string, LossOptions[]> = {
  exo_pair: [{}, { labelSmoothing: 0.1 }, { labelSmoothing: 0.49 }],
  sigmoid: [{}, { labelSmoothing: 0.25 }],
  robust: [{}, { labelSmoothing: 0.25 }],
  discopop: [{}, { discopopTau: 1 }],
  dpop: [{}, { dpopLambda: 0 }, { dpopLambda: 2 }],
};
const divergences: LossOptions[] = [
  {},
  { fDivergence: "forward_kl" },
  { fDivergence: "js_divergence" },
  { fDivergence: "alpha_divergence", fAlpha: 0.5 },
  { fDivergence: "alpha_divergence", fAlpha: 1.5 },
];

// The constants of the scores are felt by losses per token alone.
const divergencesOf = (loss: LossRecord): LossOptions[] => [
  ...divergences,
  ...(loss.perToken ? divergences.slice(1).map((one) => ({ ...one, fConstants: false })) : []),
];

const scoreOf = ({ fDivergence, fAlpha = 0.5 }: LossOptions): number | "js" | undefined =>
  fDivergence === "js_divergence"
    ? "js"
    : fDivergence === "forward_kl"
      ? -1
      : fDivergence === "alpha_divergence"
        ? fAlpha - 1
        : undefined;

const sizes = [1e-3, 0.03, 0.3, 1, 3, 20, 60, 86, 89, 92, 96, 150, 300];
const gaps = [0, 1e-3, -0.05, 0.4, -0.7];

/** Pairs of log-ratios, exact in float32. */
function ratiosOf({ beta = 0.1, labelSmoothing = 1e-3 }: LossOptions): [a: number, c: number][] {
  const wide = [0, ...sizes, ...sizes.map((r) => -r)].flatMap((a): [number, number][] => [
    ...gaps.map((gap): [number, number] => [a, a + gap]),
    [a, 0.5],
    [a, -a],
  ]);
  // The margin passes what each loss turns at: exo's zero, hinge's kink, ipo's and sppo's targets.
  const turns = [Math.log((1 - labelSmoothing) / labelSmoothing), 1, 0.5, Math.log(2), 0];
  const near = [0, 1e-3, -0.01, 0.04, -0.1, 0.24, -0.26, 0.7];
  const turning = turns.flatMap((z) => near.map((u): [number, number] => [(z + u) / beta, 0]));
  return [...wide, ...turning].map(([a, c]) => [Math.fround(a), Math.fround(c)]);
}

const givenGaps = [0, 0.01, -0.1, 0.24, -0.3];
const given = [0, 1, -0.5, 4, -12, 40, -100];

function batchOf(options: LossOptions) {
  const ratios = ratiosOf(options);
  const pairs = narrow(pairsOf(ratios.map(([a, c]) => [a, c, 0, 0])));
  // Equal ones, the chosen the shorter, the rejected the shorter by far, the rejected the longer by far.
  const rejectedLengths = [7, 12, 1, 900];
  return {
    ratios,
    pairs: {
      ...pairs,
      chosenLengths: new Float32Array(ratios.length).fill(7),
      rejectedLengths: Float32Array.from(ratios, (_, i) => rejectedLengths[i % 4] ?? 0),
      // Every other one is close to β·(a − c), where the losses of it have their zero.
      rewardMargin: Float32Array.from(ratios, ([a, c], i) => {
        const { beta = 0.1 } = options;
        return i % 2 === 0 ? beta * (a - c) + (givenGaps[i % 5] ?? 0) : (given[i % 7] ?? 0);
      }),
    },
  };
}

const cases = plainVariants
  .filter(({ id }) => exactIds.includes(id))
  .flatMap(({ id, loss }: Variant) =>
    (takesDivergence(loss) ? divergencesOf(loss) : [{}]).flatMap((divergence) =>
      (tuned[id] ?? [{}]).map((params) => ({ ...params, ...divergence, lossType: id })),
    ),
  )
  .map((options) => ({ name: Object.values(options).join(" "), options }));

// β·d has to be a float32 as well; smoothing and lengths make losses of a share of it.
const FLOAT32_RANGE = 3.4028234663852886e38 / 16;
const cache = new Map<string, ReturnType<typeof prepare>>();

function prepare(options: LossOptions) {
  const { ratios, pairs } = batchOf(options);
  const { beta = 0.1 } = options;
  const call = { ...options, gradScale: ratios.length };
  const { base, moved } = exactly(pairs, call);
  const want = ratios.map(([a, c], i) => {
    const [chosenLength = 1, rejectedLength = 1] = [pairs.chosenLengths[i], pairs.rejectedLengths[i]];
    const rewardMargin = pairs.rewardMargin[i] as number;
    return exactLoss(options.lossType as string, { a, c, chosenLength, rejectedLength, rewardMargin }, {
      ...options,
      beta,
      score: scoreOf(options),
    } as never);
  });
  return { ratios, pairs, call, base, moved, want };
}

onEachBackend((backend, name) => {
  describe.each(cases)("$name", ({ name: title, options }) => {
    it.each(betas)("beta %d", async (beta) => {
      const key = `${title} ${beta}`;
      if (!cache.has(key)) cache.set(key, prepare({ ...options, beta }));
      const { ratios, pairs, call, base, moved, want } = cache.get(key) as ReturnType<typeof prepare>;
      const got = await backend.pairLoss(pairs, call);
      const lines: string[] = [];
      for (const [i, [a, c]] of ratios.entries()) {
        for (const [k, vector] of vectorNames.entries()) {
          const [w, g] = [want[i]?.[k] as number, got[vector][i] as number];
          if (Math.abs(w) > FLOAT32_RANGE || Math.abs(want[i]?.[0] as number) > FLOAT32_RANGE) continue;
          const moves = moved.map((other) => Math.abs((other[vector][i] as number) - (base[vector][i] as number)));
          const sensitivity = Math.max(0, ...moves.filter((move) => move < Infinity));
          const floor = 2e-7 * beta;
          const bound = name === "js" ? 1e-6 * Math.abs(w) + 1e-12 : 1e-5 * Math.abs(w) + 6 * sensitivity + floor;
          if (!(Math.abs(g - w) <= bound)) lines.push(`a ${a}, c ${c}: ${vector} ${g}, exactly ${w}, bound ${bound}`);
        }
      }
      expect(lines).toEqual([]);
    });
  });
});

// Every loss from random logits, padded and packed, against the definitions in float64: loss, gradients, log-probs, metrics;
// with LD-DPO, WPO, sft beside others, and gradScale.

import { describe, expect, it } from "vitest";
import type { LogitsLossOptions } from "../src/types.ts";
import { onEachBackend } from "./support/backends.ts";
import { inTurn } from "./support/in-turn.ts";
import { layoutNames, layouts, randomLogits } from "./support/logits.ts";
import { expectedOf, missesOfExpected } from "./support/logits-expected.ts";
import { rewardMargins } from "./support/pairs.ts";
import { isLikelihood, isSorted, ofCompletions, plainVariants, table, tunedVariants } from "./support/variants.ts";

const batches = [
  randomLogits({ pairs: 3, length: 9, vocab: 21, seed: 81, holes: 0.3 }),
  randomLogits({ pairs: 5, length: 4, vocab: 130, seed: 82 }),
];

type Options = LogitsLossOptions & { gradScale?: number };
type Row = readonly [name: string, options: Options];

const plain: Row[] = [...plainVariants, ...tunedVariants].map(({ name, options }) => [name, options]);
const long: Row[] = plainVariants
  .filter(({ loss }) => !isLikelihood(loss))
  .flatMap(({ name, options }) =>
    [0, 0.5, 1].map((ldAlpha): Row => [`${name}, ldAlpha ${ldAlpha}`, { ...options, ldAlpha }]),
  );
const weighted: Row[] = plainVariants
  .filter(({ loss }) => !isLikelihood(loss) && !isSorted(loss))
  .map(({ name, options }): Row => [`${name}, WPO`, { ...options, weighting: "wpo" }]);
const mixed: Row[] = [
  ["MPO", { lossType: ["sigmoid", "bco_pair", "sft"], lossWeights: [0.8, 0.2, 1] }],
  ["sft between others, negative weight", { lossType: ["ipo", "sft", "apo_down"], lossWeights: [1, -0.5, 2] }],
  ["sft twice, with ldAlpha", { lossType: ["sft", "robust", "sft"], lossWeights: [1, 1, 0.5], ldAlpha: 0.25 }],
  ["sft and gradScale", { lossType: ["sigmoid", "sft"], gradScale: 1024 }],
  ["WPO and ldAlpha", { lossType: ["sigmoid", "ipo"], weighting: "wpo", ldAlpha: 0.5 }],
  ["WPO and gradScale", { weighting: "wpo", gradScale: -3 }],
  ["a divergence", { fDivergence: "js_divergence", beta: 0.5 }],
  ["a free reference", { referenceFree: true, beta: 0.5 }],
];

onEachBackend((backend, kind) => {
  describe.each(layoutNames)("%s", (layout) => {
    // Rows are summed by one shader, whatever their layout, and losses are another's.
    const rows = inTurn(
      kind,
      [...plain, ...long, ...weighted, ...mixed],
      layoutNames.indexOf(layout),
      layoutNames.length,
    );
    it.each(rows)("%s", async (_name, options) => {
      for (const padded of batches) {
        const { batch, unpack } = layouts[layout](padded);
        const rewardMargin = rewardMargins(batch.tokens.pairs);
        const call = { ...ofCompletions(options), metrics: "full" } as const;
        const got = await backend.logitsLoss({ ...batch, rewardMargin }, call);
        const gradient = unpack(got.gradLogits as Float32Array, batch.vocab);
        const want = expectedOf(padded, options);
        expect(missesOfExpected(got, unpack(got.tokenLogps, 1), gradient, want)).toEqual([]);
      }
    });
  });
});

describe("the batches", () => {
  it("hold empty completions, completions without a prompt, and of unequal lengths", () => {
    const kinds = batches.flatMap(({ tokens: { pairs, length, completionMask } }) =>
      Array.from({ length: 2 * pairs }, (_, r) => completionMask.slice(r * length, (r + 1) * length)),
    );
    expect(kinds.some((mask) => !mask.includes(1))).toBe(true);
    expect(kinds.some((mask) => mask[0] === 1)).toBe(true);
    expect(new Set(kinds.map((mask) => mask.filter((bit) => bit === 1).length)).size).toBeGreaterThan(3);
    expect(Object.keys(table).length).toBeGreaterThan(14);
  });
});

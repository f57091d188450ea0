// Every loss from hidden states and a head equals that from the logits written out: loss, gradients, log-probs, metrics; those
// that fused GPU libraries refuse too.

import { describe, expect, it } from "vitest";
import type { LinearLossOptions } from "../src/types.ts";
import { onEachBackend } from "./support/backends.ts";
import { inTurn } from "./support/in-turn.ts";
import { expectedLinear, missesOfLinear, randomLinear } from "./support/linear.ts";
import { layoutNames } from "./support/logits.ts";
import { rewardMargins } from "./support/pairs.ts";
import {
  divergedVariants,
  isLikelihood,
  isSorted,
  ofCompletions,
  plainVariants,
  tunedVariants,
} from "./support/variants.ts";

type Row = readonly [name: string, options: LinearLossOptions];

const plain: Row[] = [...plainVariants, ...tunedVariants].map(({ name, options }) => [name, options]);
const diverged: Row[] = divergedVariants
  .filter(({ id }) => id === "sigmoid" || id === "ipo")
  .map(({ name, options }) => [name, options]);
const weighted: Row[] = plainVariants
  .filter(({ loss }) => !isLikelihood(loss) && !isSorted(loss))
  .map(({ name, options }): Row => [`${name}, WPO, ldAlpha`, { ...options, weighting: "wpo", ldAlpha: 0.5 }]);
const mixed: Row[] = [
  ["MPO", { lossType: ["sigmoid", "bco_pair", "sft"], lossWeights: [0.8, 0.2, 1] }],
  ["sft, ldAlpha 0", { lossType: ["aot", "sft"], lossWeights: [1, -0.5], ldAlpha: 0 }],
  ["gradScale", { lossType: ["sigmoid", "sft"], gradScale: 1024 }],
  ["a free reference", { referenceFree: true, beta: 0.5 }],
];

onEachBackend((backend, kind) => {
  describe.each(layoutNames)("%s", (layout) => {
    // Rows are summed by one shader, whatever their layout, and losses are another's.
    const rows = inTurn(
      kind,
      [...plain, ...diverged, ...weighted, ...mixed],
      layoutNames.indexOf(layout),
      layoutNames.length,
    );
    const isPacked = layout === "packed";
    const calls = [
      randomLinear({ pairs: 3, length: 9, vocab: 75, width: 13, seed: 381, holes: 0.3, bias: true, isPacked }),
      randomLinear({ pairs: 4, length: 5, vocab: 40, width: 8, seed: 382, rank: 3, isPacked }),
    ];
    it.each(rows)("%s", async (_name, options) => {
      for (const call of calls) {
        const given = { ...call, rewardMargin: rewardMargins(call.tokens.pairs) };
        const full = { ...ofCompletions(options), metrics: "full" } as const;
        const got = await backend.linearLoss(given, full);
        expect(missesOfLinear(got, expectedLinear(given, full))).toEqual([]);
      }
    });
  });
});

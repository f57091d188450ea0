// Batches of collate in which nothing counts: every call takes them, in both layouts, on every backend.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { collate } from "../src/collate/collate.ts";
import type { CollateOptions, TokenPair } from "../src/collate/types.ts";
import type { Reference } from "../src/types.ts";
import { onEachBackend } from "./support/backends.ts";

const vocab = 11;
const hiddenSize = 4;
const none: TokenPair = { prompt: [], chosen: [], rejected: [] };

// What makes a batch in which nothing is predicted.
const batches: Record<string, { examples: TokenPair[]; options?: CollateOptions }> = {
  "one pair without a token": { examples: [none] },
  "three pairs without a token": { examples: [none, none, none] },
  "prompts without completions": { examples: [{ ...none, prompt: [1, 2, 3] }, { ...none, prompt: [4] }, none] },
  "completions of one token that nothing predicts": { examples: [{ prompt: [], chosen: [3], rejected: [4] }] },
  "completions that are cut away": {
    examples: [{ prompt: [1, 2, 3, 4], chosen: [5, 6], rejected: [7] }],
    options: { maxLength: 4 },
  },
  "all but one token cut away": {
    examples: [{ prompt: [1], chosen: [5, 6], rejected: [7] }, none],
    options: { maxLength: 1, truncationMode: "keep_end" },
  },
  "padding to a multiple": { examples: [none, none], options: { padToMultipleOf: 8, padTokenId: 5 } },
};

const layouts = ["padded", "packed"] as const;
const options = (given: CollateOptions | undefined, layout: (typeof layouts)[number]): CollateOptions => {
  const { padToMultipleOf, padTokenId, ...cut } = given ?? {};
  return layout === "packed" ? { ...cut, layout } : { ...given, layout };
};

const zeros = (array: ArrayLike<number>, length: number): void =>
  expect(Array.from(array)).toStrictEqual(new Array(length).fill(0));

onEachBackend((backend) => {
  describe.each(Object.entries(batches))("%s", (_name, { examples, options: cut }) => {
    test.each(layouts)("%s", async (layout) => {
      const tokens = collate(examples, options(cut, layout));
      const { pairs } = tokens;
      const positions = "targets" in tokens ? tokens.targets.length : 2 * pairs * tokens.length;
      const logits = new Float32Array(positions * vocab).fill(0.5);
      const hidden = new Float32Array(positions * hiddenSize).fill(0.5);
      const weight = new Float32Array(vocab * hiddenSize).fill(0.25);
      const a = new Float32Array(2 * hiddenSize).fill(1);
      const b = new Float32Array(vocab * 2).fill(1);

      const logps = await backend.sequenceLogps({ tokens, vocab, logits }, { metrics: "full" });
      zeros(logps.logps, 2 * pairs);
      zeros(logps.tokenLogps, positions);
      zeros(logps.logsumexp, positions);

      const references: Reference[] = [{ logps: logps.logps }, { logits }, { hidden, weight, hiddenSize }];
      for (const lossType of ["sigmoid", "ipo", "aot", ["hinge", "sft"]]) {
        for (const reference of references) {
          for (const metrics of ["basic", "full"] as const) {
            const head = { tokens, vocab, hiddenSize, hidden, weight, reference };
            const byLogits = await backend.logitsLoss({ tokens, vocab, logits, reference }, { lossType, metrics });
            const byHead = await backend.linearLoss({ ...head, bias: new Float32Array(vocab) }, { lossType, metrics });
            const byLora = await backend.linearLoss(
              { ...head, lora: { a, b, rank: 2, scale: 1 } },
              { lossType, metrics },
            );
            zeros(byLogits.gradLogits as Float32Array, logits.length);
            zeros(byHead.gradHidden as Float32Array, hidden.length);
            zeros(byHead.gradWeight as Float32Array, weight.length);
            zeros(byHead.gradBias as Float32Array, vocab);
            zeros(byLora.gradA as Float32Array, a.length);
            zeros(byLora.gradB as Float32Array, b.length);
            for (const result of [byLogits, byHead, byLora]) {
              zeros(result.logps, 2 * pairs);
              expect([...result.gradChosen, ...result.gradRejected].every(Number.isFinite)).toBe(true);
              expect(Number.isNaN(result.loss)).toBe(Array.isArray(lossType)); // the mean over no token
            }
          }
        }
      }
    });
  });
});

test("what collate makes of any lists is a batch of at least one position, or a packed one", () => {
  const ids = fc.array(fc.integer({ min: 0, max: vocab - 1 }), { maxLength: 3 });
  const example = fc.record({ prompt: ids, chosen: ids, rejected: ids });
  fc.assert(
    fc.property(
      fc.array(example, { minLength: 1, maxLength: 3 }),
      fc.integer({ min: 1, max: 4 }),
      (examples, multiple) => {
        const { length, inputIds } = collate(examples, { padToMultipleOf: multiple });
        expect(length).toBeGreaterThanOrEqual(1);
        expect(length % multiple).toBe(0);
        expect(inputIds).toHaveLength(2 * examples.length * length);
      },
    ),
  );
});

// What collate must do with any lists: count the same tokens in both layouts, cut no row by another's length, leave its
// inputs as they were.

import { runInNewContext } from "node:vm";
import fc from "fast-check";
import { expect, it } from "vitest";
import { collate } from "../src/collate/collate.ts";
import type { TokenIds, TokenPair } from "../src/collate/types.ts";
import { cutColumns, tokensOf } from "./support/batches.ts";

const ids = fc.array(fc.integer({ min: 0, max: 2 ** 31 - 1 }), { maxLength: 12 });
const pairs = fc.array(fc.record({ prompt: ids, chosen: ids, rejected: ids }), { minLength: 1, maxLength: 5 });
const limit = fc.oneof(fc.integer({ min: 1, max: 20 }), fc.constant(Number.MAX_SAFE_INTEGER));
const cuts = fc.record(
  {
    maxLength: limit,
    maxPromptLength: limit,
    maxCompletionLength: limit,
    truncationMode: fc.constantFrom("keep_start" as const, "keep_end" as const),
  },
  { requiredKeys: [] },
);
const paddings = fc.record(
  { padToMultipleOf: fc.integer({ min: 1, max: 16 }), padTokenId: fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }) },
  { requiredKeys: [] },
);

it("padded and packed count the same tokens", () => {
  fc.assert(
    fc.property(pairs, cuts, paddings, (examples, options, padding) => {
      const { length: width, inputIds, completionMask, pairs: count } = collate(examples, { ...options, ...padding });
      const { offsets, targets, lengths, pairs: samePairs } = collate(examples, { ...options, layout: "packed" });
      const shifted = (r: number): number[] => {
        const at = Array.from({ length: Math.max(0, width - 1) }, (_, t) => r * width + t + 1);
        return at.filter((i) => completionMask[i] === 1).map((i) => inputIds[i] ?? Number.NaN);
      };
      const rows = Array.from(lengths, (_, r) => r);
      const marked = (r: number): number =>
        completionMask.subarray(r * width, (r + 1) * width).reduce((s, x) => s + x, 0);
      expect([count, samePairs, rows.length]).toEqual([examples.length, examples.length, 2 * examples.length]);
      expect(rows.map((r) => [...targets.subarray(offsets[r], offsets[r + 1])])).toEqual(rows.map(shifted));
      expect([offsets[0], offsets[rows.length]]).toEqual([0, targets.length]);
      expect([...lengths]).toEqual(rows.map(marked));
    }),
  );
});

it("keeps the tokens that TRL's old cut of the padded batch keeps, whatever the other rows are", () => {
  fc.assert(
    fc.property(pairs, cuts, (examples, options) => {
      expect(tokensOf(collate(examples, options))).toEqual(cutColumns(examples, options));
    }),
  );
});

it("is as wide as its longest row, rounded up, and padding alone has the pad id", () => {
  fc.assert(
    fc.property(pairs, cuts, paddings, (examples, options, padding) => {
      const { length, inputIds, attentionMask } = collate(examples, { ...options, ...padding });
      // One column is there in any case, so that every call accepts the batch.
      const longest = Math.max(
        1,
        ...tokensOf(collate(examples, options)).map((row) => row.prompt.length + row.completion.length),
      );
      const { padToMultipleOf = 1, padTokenId = 0 } = padding;
      expect(length).toBe(Math.ceil(longest / padToMultipleOf) * padToMultipleOf);
      expect(inputIds.length).toBe(2 * examples.length * length);
      expect(inputIds.every((id, i) => attentionMask[i] === 1 || id === padTokenId)).toBe(true);
    }),
  );
});

it("takes any array of integers and leaves it as it was", () => {
  const shared = (list: number[]): Int32Array => {
    const view = new Int32Array(new SharedArrayBuffer(4 * list.length));
    view.set(list);
    return view;
  };
  const forms: ((list: number[]) => TokenIds)[] = [
    (list) => Int32Array.from(list),
    (list) => Uint32Array.from(list),
    (list) => BigInt64Array.from(list, BigInt),
    (list) => list.map(BigInt),
    (list) => Object.freeze([...list]),
    runInNewContext("(list) => Int32Array.from(list)"),
    shared,
  ];
  fc.assert(
    fc.property(pairs, cuts, fc.constantFrom(...forms), (examples, options, form) => {
      const copies = (): TokenPair[] =>
        examples.map(({ prompt, chosen, rejected }) => ({
          prompt: form(prompt),
          chosen: form(chosen),
          rejected: form(rejected),
        }));
      const given = copies();
      expect(collate(given, Object.freeze(options))).toEqual(collate(examples, options));
      expect(given).toEqual(copies());
    }),
  );
});

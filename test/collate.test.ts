// collate against TRL's own batches, and what must hold for any lists: both layouts count the same tokens, a row does not
// depend on the others, inputs stay as they were.

import { runInNewContext } from "node:vm";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { collate, type PaddedBatch, type TokenPair } from "../src/collate.ts";
import { fromTrl } from "../src/index.ts";
import { cutColumns, type Lists, type Row } from "./support/columns.ts";
import { readGolden } from "./support/golden.ts";

interface Padded {
  input_ids: number[][];
  attention_mask: number[][];
  completion_mask: number[][];
}

interface Current {
  examples: { prompt_ids: number[]; chosen_ids: number[]; rejected_ids: number[] }[];
  max_length: number | null;
  truncation_mode: string;
  pad_to_multiple_of: number | null;
  pad_token_id: number;
  expected: Padded;
}

interface Tokenised {
  prompt_ids: number[];
  chosen_ids: number[];
  rejected_ids: number[];
  eos_token_id: number;
  max_prompt_length: number | null;
  max_completion_length: number | null;
  expected: { prompt_input_ids: number[]; chosen_input_ids: number[]; rejected_input_ids: number[] };
}

type Side = "prompt" | "chosen" | "rejected";
type Legacy = {
  tokens: Record<`${Side}_input_ids` | `${Side}_attention_mask`, number[][]>;
  pipeline_cases: ({ id: string; hyper: Record<string, unknown> } & Padded)[];
};

const rowsOf = (flat: ArrayLike<number>, length: number): number[][] =>
  Array.from({ length: flat.length / length }, (_, r) => Array.from(flat).slice(r * length, (r + 1) * length));

const listsOf = ({ length, inputIds, attentionMask, completionMask }: PaddedBatch): Padded => ({
  input_ids: rowsOf(inputIds, length),
  attention_mask: rowsOf(attentionMask, length),
  completion_mask: rowsOf(completionMask, length),
});

describe("TRL's batches", () => {
  const { current, legacy_tokenize } = readGolden<{ current: Current[]; legacy_tokenize: Tokenised[] }>(
    "collation.json",
  );
  for (const [i, { examples, expected, pad_token_id: padTokenId, ...config }] of current.entries()) {
    it(`current ${i}`, () => {
      expect(listsOf(collate(examples, { ...fromTrl(config).collate, padTokenId }))).toEqual(expected);
    });
  }

  for (const [i, { eos_token_id: eos, expected, prompt_ids: prompt, ...rest }] of legacy_tokenize.entries()) {
    it(`legacy tokens ${i}`, () => {
      const { chosen_ids, rejected_ids, ...config } = rest;
      const example = { prompt, chosen: [...chosen_ids, eos], rejected: [...rejected_ids, eos] };
      const batch = collate([example], fromTrl(config, { version: "0.24.0" }).collate);
      const { prompt_input_ids, chosen_input_ids, rejected_input_ids } = expected;
      expect(tokensOf(batch)).toEqual([
        { prompt: prompt_input_ids, completion: chosen_input_ids },
        { prompt: prompt_input_ids, completion: rejected_input_ids },
      ]);
    });
  }

  const { tokens, pipeline_cases } = readGolden<Legacy>("legacy.json");
  const kept = (side: Side, i: number): number[] =>
    (tokens[`${side}_input_ids`][i] ?? []).filter((_, t) => tokens[`${side}_attention_mask`][i]?.[t] === 1);
  const examples = tokens.prompt_input_ids.map((_, i) => ({
    prompt: kept("prompt", i),
    chosen: kept("chosen", i),
    rejected: kept("rejected", i),
  }));
  for (const { id, hyper, input_ids, attention_mask, completion_mask } of pipeline_cases) {
    it(`legacy batch ${id}`, () => {
      const { max_length, truncation_mode } = hyper;
      const { collate: options } = fromTrl({ max_length, truncation_mode }, { version: "0.24.0" });
      expect(listsOf(collate(examples, options))).toEqual({ input_ids, attention_mask, completion_mask });
    });
  }
});

/** The rows of a padded batch as lists again. */
const tokensOf = (batch: PaddedBatch): Row[] => {
  const { input_ids, attention_mask, completion_mask } = listsOf(batch);
  return input_ids.map((ids, r) => ({
    prompt: ids.filter((_, t) => attention_mask[r]?.[t] === 1 && completion_mask[r]?.[t] === 0),
    completion: ids.filter((_, t) => completion_mask[r]?.[t] === 1),
  }));
};

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

describe("any lists", () => {
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
        const longest = Math.max(
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
    const forms: ((list: number[]) => ArrayLike<number> | ArrayLike<bigint>)[] = [
      (list) => Int32Array.from(list),
      (list) => Uint32Array.from(list),
      (list) => BigInt64Array.from(list, BigInt),
      (list) => list.map(BigInt),
      (list) => Object.freeze([...list]),
      (list) => runInNewContext("Int32Array.from(list)", { list }),
      shared,
    ];
    fc.assert(
      fc.property(pairs, cuts, fc.constantFrom(...forms), (examples, options, form) => {
        const given = examples.map(({ prompt, chosen, rejected }) => ({
          prompt: form(prompt),
          chosen: form(chosen),
          rejected: form(rejected),
        })) as TokenPair[];
        const before = given.map(({ prompt, chosen, rejected }) =>
          [prompt, chosen, rejected].map((list) => [...(list as number[])]),
        );
        Object.freeze(given);
        expect(collate(given, Object.freeze(options))).toEqual(collate(examples, options));
        const after = given.map(({ prompt, chosen, rejected }) =>
          [prompt, chosen, rejected].map((list) => [...(list as number[])]),
        );
        expect(after).toEqual(before);
      }),
    );
  });
});

describe("names", () => {
  const lists = { prompt_ids: [1, 2], chosen_ids: [3], rejected_ids: [4] };

  it("takes those of TRL's data sets, whose plain names hold texts", () => {
    const row = { ...lists, prompt: "a", chosen: "b", rejected: "c", images: null };
    expect(collate([row])).toEqual(collate([{ prompt: [1, 2], chosen: [3], rejected: [4] }]));
  });

  it("takes a batch whose rows are all empty", () => {
    const nothing = { prompt: [], chosen: [], rejected: [] };
    expect(collate([nothing], { padToMultipleOf: 8 })).toMatchObject({
      pairs: 1,
      length: 0,
      inputIds: new Int32Array(0),
    });
    const packed = collate([nothing], { layout: "packed" });
    expect(packed).toMatchObject({
      offsets: new Int32Array(3),
      targets: new Int32Array(0),
      lengths: new Int32Array(2),
    });
  });
});

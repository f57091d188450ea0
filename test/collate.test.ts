// collate against TRL's own batches, of now and before.

import { describe, expect, it } from "vitest";
import { collate } from "../src/collate/collate.ts";
import type { TokenPair } from "../src/collate/types.ts";
import { fromTrl } from "../src/index.ts";
import { listsOf, type Padded, tokensOf } from "./support/batches.ts";
import { readGolden } from "./support/golden.ts";

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

describe("lists", () => {
  const example = { prompt: [1, 15, 7], chosen: [8, 9, 2], rejected: [4, 2] };
  const want = collate([example]);
  const sides = ["prompt", "chosen", "rejected"] as const;
  const each = <T>(make: (ids: number[], side: Side) => [string, T][]): Record<string, T> =>
    Object.fromEntries(sides.flatMap((side) => make(example[side], side)));
  const tensor = (ids: number[], dims = [1, ids.length]) => ({
    ...{ type: "int64", dims, size: ids.length, location: "cpu" },
    data: BigInt64Array.from(ids, BigInt),
  });
  // Padded on the left and on the right, the padding hidden by the mask.
  const padded = (ids: number[]): number[] => [0, 0, ...ids, 0];
  const bits = (ids: number[]): number[] => [0, 0, ...ids.map(() => 1), 0];
  const texts = { prompt: "a", chosen: "b", rejected: "c" };

  it.each<[string, object]>([
    ["of TRL since v0.29", { ...texts, ...each((ids, side) => [[`${side}_ids`, ids]]) }],
    ["of TRL v0.12 – v0.28", { ...texts, ...each((ids, side) => [[`${side}_input_ids`, ids]]) }],
    [
      "of TRL v0.12 – v0.28 with masks",
      each((ids, side) => [
        [`${side}_input_ids`, padded(ids)],
        [`${side}_attention_mask`, bits(ids)],
      ]),
    ],
    ["as tensors of one row", each((ids, side) => [[side, tensor(ids)]])],
    ["as tensors without rows", each((ids, side) => [[`${side}_ids`, tensor(ids, [ids.length])]])],
    ["as int32 tensors", each((ids, side) => [[side, { dims: [1, ids.length], data: Int32Array.from(ids) }]])],
    ["as encodings", each((ids, side) => [[side, { input_ids: tensor(ids) }]])],
    [
      "as encodings with masks",
      each((ids, side) => [[side, { input_ids: tensor(padded(ids)), attention_mask: tensor(bits(ids)) }]]),
    ],
    [
      "as encodings of plain lists, with token types",
      each((ids, side) => [[side, { input_ids: padded(ids), attention_mask: bits(ids), token_type_ids: padded(ids) }]]),
    ],
    [
      "of the newer names before the older ones",
      each((ids, side) => [
        [`${side}_ids`, ids],
        [`${side}_input_ids`, [9, 9]],
      ]),
    ],
  ])("%s", (_what, given) => {
    const before = structuredClone(given);
    for (const layout of ["padded", "packed"] as const) {
      expect(collate([given as TokenPair], { layout })).toEqual(collate([example], { layout }));
    }
    expect(given).toEqual(before);
    expect(want.length).toBe(6);
  });

  it("with null for a mask that is not there, and empty ones", () => {
    const empty = { prompt: tensor([]), chosen: { input_ids: [], attention_mask: [] }, rejected: [] };
    expect(collate([empty])).toEqual(collate([{ prompt: [], chosen: [], rejected: [] }]));
    expect(collate([{ ...example, chosen: { input_ids: [8, 9, 2], attention_mask: null } }])).toEqual(want);
  });
});

describe("a batch", () => {
  const lists = { prompt_ids: [1, 2], chosen_ids: [3], rejected_ids: [4] };

  it("takes those of TRL's data sets, whose plain names hold texts", () => {
    const row = { ...lists, prompt: "a", chosen: "b", rejected: "c", images: null };
    expect(collate([row])).toEqual(collate([{ prompt: [1, 2], chosen: [3], rejected: [4] }]));
  });

  it("takes a batch whose rows are all empty", () => {
    const nothing = { prompt: [], chosen: [], rejected: [] };
    expect(collate([nothing], { padToMultipleOf: 8 })).toMatchObject({
      pairs: 1,
      length: 8,
      inputIds: new Int32Array(16),
      completionMask: new Uint8Array(16),
      attentionMask: new Uint8Array(16),
    });
    expect(collate([nothing])).toMatchObject({ pairs: 1, length: 1, inputIds: new Int32Array(2) });
    const packed = collate([nothing], { layout: "packed" });
    expect(packed).toMatchObject({
      offsets: new Int32Array(3),
      targets: new Int32Array(0),
      lengths: new Int32Array(2),
    });
  });
});

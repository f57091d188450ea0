// collate against TRL's own batches, of now and before.

import { describe, expect, it } from "vitest";
import { collate } from "../src/collate.ts";
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

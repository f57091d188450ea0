// The mismatched rows of KTO, and batches of single rows.

import { describe, expect, it } from "vitest";
import { collate, collateRows, KindError, mismatch, ParamError, ShapeError } from "../src/index.ts";
import { readGolden } from "./support/golden.ts";

const row = (k: number) => ({ prompt: [k], completion: [10 + k], desirable: k % 2 === 0 });
const rows = (count: number) => Array.from({ length: count }, (_, k) => row(k));
const completions = (made: { completion: number[] }[]) => made.map(({ completion }) => completion[0]);

describe("mismatch", () => {
  it("gives each row the completion of the row before it, within blocks", () => {
    expect(completions(mismatch(rows(4), 4))).toEqual([13, 10, 11, 12]);
    expect(completions(mismatch(rows(6), 3))).toEqual([12, 10, 11, 15, 13, 14]);
    // A short last block is rotated within itself, one row is its own.
    expect(completions(mismatch(rows(8), 3))).toEqual([12, 10, 11, 15, 13, 14, 17, 16]);
    expect(completions(mismatch(rows(4), 3))).toEqual([12, 10, 11, 13]);
    expect(completions(mismatch(rows(3), 100))).toEqual([12, 10, 11]);
    expect(mismatch([], 2)).toEqual([]);
  });

  it("leaves prompts and labels where they are, and the rows that it was given as they were", () => {
    const given = rows(5);
    const made = mismatch(given, 5);
    expect(made.map(({ prompt, desirable }) => [prompt, desirable])).toEqual(
      given.map(({ prompt, desirable }) => [prompt, desirable]),
    );
    expect(given).toEqual(rows(5));
  });

  it("moves all that a completion has, under TRL's names", () => {
    const given = [
      { prompt_ids: [1], completion_ids: [2], completion_attention_mask: [1], answer_input_ids: [2], label: true },
      {
        prompt_ids: [3],
        completion_ids: [4, 5],
        completion_attention_mask: [1, 0],
        answer_input_ids: [4],
        label: false,
      },
    ];
    expect(mismatch(given, 2)).toEqual([
      {
        prompt_ids: [1],
        completion_ids: [4, 5],
        completion_attention_mask: [1, 0],
        answer_input_ids: [4],
        label: true,
      },
      { prompt_ids: [3], completion_ids: [2], completion_attention_mask: [1], answer_input_ids: [2], label: false },
    ]);
  });

  it("makes the rows that TRL made", () => {
    const { rows3 } = readGolden<{ logits: { batches: Record<string, Record<string, number[][]>> } }>("beyond.json")
      .logits.batches;
    const { input_ids = [], completion_mask = [], KL_input_ids = [], KL_completion_mask = [] } = rows3 ?? {};
    const given = input_ids.map((ids, r) => {
      const start = (completion_mask[r] as number[]).indexOf(1);
      return { prompt: ids.slice(0, start), completion: ids.slice(start) };
    });
    const made = collateRows(mismatch(given, 3));
    expect(Array.from(made.inputIds)).toEqual(KL_input_ids.flat());
    expect(Array.from(made.completionMask)).toEqual(KL_completion_mask.flat());
    expect(made.rows).toBe(3);
  });

  it.each([
    ["no list", {}, 2, KindError, /^examples: expected a list of rows, got an object$/],
    ["no rows", [3], 2, KindError, /^examples\[0\]: expected an object, got a number$/],
    ["no completion", [row(0), { prompt: [1] }], 2, ShapeError, /^examples\[1\]: expected a completion, got none$/],
    ["one row a block", rows(2), 1, ParamError, /^size: expected an integer of at least 2, got 1$/],
    ["half a row", rows(2), 2.5, ParamError, /^size: expected an integer of at least 2, got 2\.5$/],
    ["no size", rows(2), undefined, KindError, /^size: expected a number, got undefined$/],
  ])("refuses %s", (_what, examples, size, error, message) => {
    const call = () => mismatch(examples as never, size as never);
    expect(call).toThrow(error);
    expect(call).toThrow(message);
  });
});

describe("collateRows", () => {
  const pairs = [
    { prompt: [1, 5, 6], chosen: [7, 8], rejected: [9] },
    { prompt: [], chosen: [4, 3, 2], rejected: [2, 2] },
  ];
  const same = [...pairs.map(({ prompt, chosen }) => ({ prompt, completion: chosen }))].concat(
    pairs.map(({ prompt, rejected }) => ({ prompt, completion: rejected })),
  );

  it.each([{}, { layout: "packed" }, { maxLength: 3, truncationMode: "keep_end" }, { padToMultipleOf: 8 }] as const)(
    "makes of rows what collate makes of pairs: %j",
    (options) => {
      const { pairs: count, ...want } = collate(pairs, options);
      expect(collateRows(same, options)).toEqual({ ...want, rows: 2 * count });
    },
  );

  it("refuses what is none", () => {
    expect(() => collateRows([])).toThrow(/^examples: expected at least one row, got 0$/);
    expect(() => collateRows(3 as never)).toThrow(/^examples: expected a list of rows, got a number$/);
    expect(() => collateRows([null] as never)).toThrow(
      /^examples\[0\]: expected an object with prompt and completion, got null$/,
    );
    expect(() => collateRows([{ prompt: [1], completion: ["x"] }] as never)).toThrow(
      /^examples\[0\]\.completion\[0\]: /,
    );
  });
});

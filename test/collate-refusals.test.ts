// What collate refuses, and the words it does it in: what, expected, got, where.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { collate } from "../src/collate/collate.ts";
import type { CollateOptions, TokenPair } from "../src/collate/types.ts";
import { DpoError } from "../src/index.ts";

const good = { prompt: [1, 2], chosen: [3, 4], rejected: [5] };

/** The error of a call, in one line. */
function refusal(examples: unknown, options?: unknown): string {
  try {
    collate(examples as TokenPair[], options as CollateOptions);
  } catch (error) {
    if (!(error instanceof DpoError)) throw error;
    return `${error.name} ${error.code}, ${error.message}`;
  }
  return "accepted";
}

const kind = "KindError wrong-kind, ";
const range = "ParamError out-of-range, ";
const list = "expected token ids, in an array or a typed array, got";
const least = "expected an integer of at least 1, got";
const int32 = "-2147483648..2147483647";

const badExamples: [examples: unknown, error: string][] = [
  [undefined, `${kind}examples: expected a list of pairs, got undefined`],
  [good, `${kind}examples: expected a list of pairs, got an object`],
  [[], "ShapeError wrong-length, examples: expected at least one pair, got 0"],
  [[good, null], `${kind}examples[1]: expected an object with prompt, chosen and rejected, got null`],
  [[good, { prompt: [], chosen: [] }], `${kind}examples[1].rejected: ${list} undefined`],
  [[{ ...good, prompt: "a" }], `${kind}examples[0].prompt: ${list} a string`],
  [
    [{ ...good, prompt: [Number.NaN] }],
    `ParamError bad-id, examples[0].prompt[0]: expected an id in ${int32}, got NaN`,
  ],
];

const badLists: [rejectedIds: unknown, error: string][] = [
  [null, `${kind}examples[0].rejected_ids: ${list} null`],
  [{ length: 1, 0: 1 }, `${kind}examples[0].rejected_ids: ${list} an object`],
  [new DataView(new ArrayBuffer(8)), `${kind}examples[0].rejected_ids: ${list} a DataView`],
  [[1, "2"], `${kind}examples[0].rejected_ids[1]: expected a token id, got a string`],
  [new Array(2), `${kind}examples[0].rejected_ids[0]: expected a token id, got undefined`],
  [[1, [2]], `${kind}examples[0].rejected_ids[1]: expected a token id, got a plain array`],
  ...[0.5, -100, 2 ** 31, 2n ** 63n, Infinity].map((id): [unknown, string] => [
    [1, id],
    `ParamError bad-id, examples[0].rejected_ids[1]: expected an id in 0..2147483647, got ${id}`,
  ]),
];

const badOptions: [options: unknown, error: string][] = [
  [null, `${kind}options: expected an object, got null`],
  [{ maxLength: 0 }, `${range}maxLength: ${least} 0`],
  [{ maxLength: Infinity }, `${range}maxLength: ${least} Infinity`],
  [{ maxLength: null }, `${kind}maxLength: expected an integer, got null`],
  [{ maxPromptLength: -1 }, `${range}maxPromptLength: ${least} -1`],
  [{ maxCompletionLength: 1.5 }, `${range}maxCompletionLength: ${least} 1.5`],
  [{ padToMultipleOf: "8" }, `${kind}padToMultipleOf: expected an integer, got a string`],
  [
    { padToMultipleOf: 2 ** 40 },
    "ShapeError wrong-length, examples: expected at most 2147483647 tokens, padding included, got 2199023255552",
  ],
  [{ padTokenId: 2 ** 31 }, `${range}padTokenId: expected an integer in ${int32}, got 2147483648`],
  [{ truncationMode: "keep" }, `${range}truncationMode: expected "keep_start" or "keep_end", got "keep"`],
  [{ layout: 1 }, `${kind}layout: expected "padded" or "packed", got a number`],
  ...["padToMultipleOf", "padTokenId"].map((name): [unknown, string] => [
    { layout: "packed", [name]: 8 },
    `ParamError unused-option, ${name}: not used by layout "packed", which has no padding`,
  ]),
  [
    { max_length: 8 },
    "ParamError unknown-option, max_length: not an option of collate; known: maxLength, truncationMode, maxPromptLength, " +
      "maxCompletionLength, padToMultipleOf, padTokenId, layout; did you mean maxLength?",
  ],
];

describe("collate refuses", () => {
  for (const [examples, error] of badExamples) it(error, () => expect(refusal(examples)).toBe(error));
  for (const [ids, error] of badLists) it(error, () => expect(refusal([{ ...good, rejected_ids: ids }])).toBe(error));
  for (const [options, error] of badOptions) it(error, () => expect(refusal([good], options)).toBe(error));
});

const one = { prompt: [1, 2], chosen: [3], rejected: [4] };

describe("tensors and masks", () => {
  const tensor = (ids: number[], dims: number[]) => ({ type: "int64", dims, data: BigInt64Array.from(ids, BigInt) });
  const shape = "ShapeError wrong-length, ";
  it.each<[string, unknown, string]>([
    [
      "two sequences",
      { ...one, prompt: tensor([1, 2], [2, 1]) },
      `${shape}examples[0].prompt: expected one sequence of 2 ids, got a tensor of dims [2, 1]`,
    ],
    [
      "other dims",
      { ...one, chosen: tensor([1, 2], [1, 3]) },
      `${shape}examples[0].chosen: expected one sequence of 2 ids, got a tensor of dims [1, 3]`,
    ],
    [
      "no dims",
      { ...one, chosen: tensor([3], []) },
      `${shape}examples[0].chosen: expected one sequence of 1 ids, got a tensor of dims []`,
    ],
    [
      "no data",
      { ...one, chosen: { dims: [1, 1] } },
      `${kind}examples[0].chosen.data: expected an array or a typed array, got undefined`,
    ],
    [
      "an id out of range",
      { ...one, chosen: tensor([-100], [1, 1]) },
      "ParamError bad-id, examples[0].chosen[0]: expected an id in 0..2147483647, got -100",
    ],
    [
      "a longer mask",
      { ...one, chosen: { input_ids: [3], attention_mask: [1, 1] } },
      `${shape}examples[0].chosen.attention_mask: expected 1 values, as many as ids, got 2`,
    ],
    [
      "a mask of twos",
      { ...one, chosen_input_ids: [3], chosen_attention_mask: [2] },
      "ParamError out-of-range, examples[0].chosen_attention_mask[0]: expected 0 or 1, got 2",
    ],
    [
      "a mask of words",
      { ...one, chosen: { input_ids: [3], attention_mask: ["1"] } },
      `${kind}examples[0].chosen.attention_mask[0]: expected 0 or 1, got a string`,
    ],
    [
      "a text as ids",
      { ...one, chosen: { input_ids: "3" } },
      `${kind}examples[0].chosen.input_ids: expected token ids, in an array or a typed array, got a string`,
    ],
    [
      "labels of TRL before v0.12",
      { ...one, chosen_input_ids: [1, 2, 3], chosen_labels: [-100, -100, 3] },
      "ParamError unused-option, examples[0].chosen_labels: expected prompt and completion apart, as TRL has them since v0.12, got labels over both",
    ],
  ])("%s", (_what, example, error) => expect(refusal([example])).toBe(error));

  it("that cannot be read", () => {
    const gone = {
      dims: [1, 1],
      get data(): never {
        throw new Error("the data is not on the CPU");
      },
    };
    expect(refusal([{ ...one, chosen: gone }])).toBe(
      `${kind}examples[0].chosen: expected a tensor on the CPU, got one whose data cannot be read`,
    );
    const hostile = {
      ...one,
      get chosen(): never {
        throw new Error("no");
      },
    };
    expect(
      refusal([Object.defineProperty({ ...one }, "chosen", Object.getOwnPropertyDescriptor(hostile, "chosen") ?? {})]),
    ).toBe(`${kind}examples[0]: expected an object that can be read, got one that throws`);
  });
});

describe("collate accepts", () => {
  it("options that are undefined, known or not, as absent", () => {
    expect(refusal([good], { maxLength: undefined, layout: undefined, other: undefined })).toBe("accepted");
  });

  it("negative ids in prompts, where nothing is predicted", () => {
    expect(refusal([{ ...good, prompt: [1, -200, 2] }])).toBe("accepted");
  });
});

it("collate answers anything with a batch or with a typed error", () => {
  const odd = fc.anything({ withTypedArray: true, withBigInt: true, withSparseArray: true, withNullPrototype: true });
  const ids = fc.oneof(fc.array(fc.integer({ min: 0, max: 9 })), odd);
  const example = fc.oneof(fc.record({ prompt: ids, chosen: ids, rejected: ids }, { requiredKeys: [] }), odd);
  const number = fc.oneof(fc.integer({ min: 1, max: 64 }), fc.double(), odd);
  const options = fc.record(
    { maxLength: number, maxPromptLength: number, padTokenId: number, truncationMode: odd, layout: odd },
    { requiredKeys: [] },
  );
  fc.assert(
    fc.property(fc.oneof(fc.array(example), odd), fc.oneof(options, odd), (examples, given) => {
      expect(refusal(examples, given)).toBeTypeOf("string");
    }),
    { numRuns: 2000 },
  );
});

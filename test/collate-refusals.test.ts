// What collate refuses, and the words it does it in: what, expected, got, where.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type CollateOptions, collate, type TokenPair } from "../src/collate.ts";
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
    "ParamError unknown-option, max_length: not an option; known: maxLength, truncationMode, maxPromptLength, " +
      "maxCompletionLength, padToMultipleOf, padTokenId, layout",
  ],
];

describe("collate refuses", () => {
  for (const [examples, error] of badExamples) it(error, () => expect(refusal(examples)).toBe(error));
  for (const [ids, error] of badLists) it(error, () => expect(refusal([{ ...good, rejected_ids: ids }])).toBe(error));
  for (const [options, error] of badOptions) it(error, () => expect(refusal([good], options)).toBe(error));
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

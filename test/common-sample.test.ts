// The sample of the common tests that browsers run.

import { expect, test } from "vitest";
import { sampleOf } from "./runtimes/common/sample.ts";

const names = [
  ...["webgpu > padded sigmoid", "webgpu > padded ipo", "webgpu > padded ipo, beta 0.3"],
  ...[
    "webgpu > packed sigmoid",
    "webgpu > packed ipo",
    "webgpu > packed ipo, beta 0.3",
    "webgpu > packed sft, beta 0.3",
  ],
];
const wordsOf = (some: Iterable<string>) => new Set([...some].flatMap((name) => name.split(/[ ,>]+/)));

test("has every word of the names", () => {
  expect(wordsOf(sampleOf(names))).toEqual(wordsOf(names));
});

test("is smaller, and the same in whatever order it is asked for", () => {
  expect([...sampleOf(names)]).toEqual([
    ...["webgpu > packed ipo", "webgpu > packed ipo, beta 0.3", "webgpu > packed sft, beta 0.3"],
    ...["webgpu > packed sigmoid", "webgpu > padded ipo"],
  ]);
  expect(sampleOf(names.toReversed())).toEqual(sampleOf(names));
});

// Ids, targets, offsets and lengths that are refused, in tables.

import { COUNT, LENGTH, type LogitsRefusal, soundPacked, soundTokens, VOCAB } from "./logits-refusals.ts";

const shape = { error: "ShapeError", code: "wrong-length" } as const;
const range = { error: "ParamError", code: "out-of-range" } as const;
const badId = { error: "ParamError", code: "bad-id" } as const;
const kind = { error: "KindError", code: "wrong-kind" } as const;

const ids = (at: number, id: number): Int32Array => soundTokens().inputIds.with(at, id);
const bigIds = (at: number, id: bigint): BigInt64Array =>
  BigInt64Array.from(soundTokens().inputIds, BigInt).with(at, id);

const wrongIds: LogitsRefusal[] = [
  ...[-1, VOCAB, -100, 2 ** 31 - 1].map((id) => ({
    what: `the id ${id} is to be predicted`,
    tokens: { inputIds: ids(LENGTH + 2, id) },
    ...badId,
    message: new RegExp(`^tokens\\.inputIds\\[6\\]: expected an id in 0\\.\\.4, got ${id} \\(row 1, position 2\\)$`),
  })),
  ...[-1n, 5n, 2n ** 32n, 2n ** 63n - 1n].map((id) => ({
    what: `the 64-bit id ${id} is to be predicted`,
    tokens: { inputIds: bigIds(1, id) },
    ...badId,
    message: new RegExp(`^tokens\\.inputIds\\[1\\]: expected an id in 0\\.\\.4, got ${id} \\(row 0, position 1\\)$`),
  })),
  ...[-1, VOCAB].map((id) => ({
    what: `the target ${id}`,
    layout: "packed" as const,
    tokens: { targets: soundPacked().targets.with(5, id) },
    ...badId,
    message: new RegExp(`^tokens\\.targets\\[5\\]: expected an id in 0\\.\\.4, got ${id} \\(row 2\\)$`),
  })),
];

const packed: LogitsRefusal[] = [
  ...[
    {
      what: "run backwards",
      offsets: Int32Array.of(0, 4, 2, 6, 8),
      message: /^tokens\.offsets\[2\]: expected at least 4, got 2/,
    },
    {
      what: "start behind 0",
      offsets: Int32Array.of(1, 2, 4, 6, 8),
      message: /^tokens\.offsets\[0\]: expected 0, got 1/,
    },
    {
      what: "start before 0",
      offsets: Int32Array.of(-1, 2, 4, 6, 8),
      message: /^tokens\.offsets\[0\]: expected 0, got -1/,
    },
    {
      what: "are beyond 32 bits",
      offsets: BigInt64Array.of(0n, 2n, 4n, 6n, 2n ** 32n + 8n),
      message: /^tokens\.offsets\[4\]: expected .*got 4294967304/,
    },
  ].map(({ what, offsets, message }) => ({
    what: `offsets ${what}`,
    layout: "packed" as const,
    tokens: { offsets },
    ...badId,
    message,
  })),
  {
    what: "offsets end beyond the targets",
    layout: "packed",
    tokens: { offsets: Int32Array.of(0, 2, 4, 6, 9) },
    ...shape,
    message: /^tokens\.targets: expected 9 values, got 8$/,
  },
  {
    what: "there are five offsets for three pairs",
    layout: "packed",
    tokens: { pairs: 3 },
    ...shape,
    message: /^tokens\.offsets: expected 7 values, got 5$/,
  },
  {
    what: "targets are floats",
    layout: "packed",
    tokens: { targets: new Float32Array(COUNT) },
    ...kind,
    message: /^tokens\.targets: expected Int32Array or BigInt64Array, got a Float32Array$/,
  },
  {
    what: "there are three lengths for four sequences",
    layout: "packed",
    tokens: { lengths: Int32Array.of(2, 2, 2) },
    ...shape,
    message: /^tokens\.lengths: expected 4 values, got 3$/,
  },
  ...[-1, 1].map((length) => ({
    what: `a length is ${length} where two tokens count`,
    layout: "packed" as const,
    tokens: { lengths: Int32Array.of(2, 2, length, 2) },
    ...range,
    message: new RegExp(`^tokens\\.lengths\\[2\\]: expected .*, got ${length}`),
  })),
];

/** Ids and packed tokens that are refused, by both calls. */
export const idRefusals: readonly LogitsRefusal[] = [...wrongIds, ...packed];

// The calls with logits that are refused, in tables: what is wrong, and the class, code and message that say so.

import type { ErrorCode } from "../../src/index.ts";

export interface LogitsRefusal {
  what: string;
  /** Replaces fields of a sound call: two pairs, four positions, vocabulary 5. */
  batch?: Record<string, unknown>;
  tokens?: Record<string, unknown>;
  options?: Record<string, unknown>;
  /** The sound call that is changed. Default padded. */
  layout?: "padded" | "packed";
  error: "ShapeError" | "ParamError" | "KindError" | "AbortError";
  code: ErrorCode;
  message: RegExp;
}

const shape = { error: "ShapeError", code: "wrong-length" } as const;
const range = { error: "ParamError", code: "out-of-range" } as const;
const kind = { error: "KindError", code: "wrong-kind" } as const;

export const PAIRS = 2;
export const LENGTH = 4;
export const VOCAB = 5;
/** The tokens that count, packed. */
export const COUNT = 8;
const POSITIONS = 2 * PAIRS * LENGTH;

/** Sound ids and mask: every sequence has a prompt of one and a completion of two tokens. */
export const soundTokens = () => ({
  pairs: PAIRS,
  length: LENGTH,
  inputIds: Int32Array.from({ length: POSITIONS }, (_, at) => at % VOCAB),
  completionMask: Uint8Array.from({ length: POSITIONS }, (_, at) => (at % LENGTH === 1 || at % LENGTH === 2 ? 1 : 0)),
});

export const soundPacked = () => ({
  pairs: PAIRS,
  offsets: Int32Array.of(0, 2, 4, 6, COUNT),
  targets: Int32Array.from({ length: COUNT }, (_, at) => at % VOCAB),
});

const counts: LogitsRefusal[] = (["pairs", "length"] as const).flatMap((name) => [
  ...[0, -1, 1.5, Number.NaN, Infinity, 2 ** 31].map((value) => ({
    what: `tokens.${name} is ${value}`,
    tokens: { [name]: value },
    ...range,
    message: new RegExp(`^tokens\\.${name}: expected an integer in 1\\.\\.2147483647, got ${value}$`),
  })),
  ...["2", null, undefined, 2n].map((value) => ({
    what: `tokens.${name} is a ${typeof value} ${value}`,
    tokens: { [name]: value },
    ...kind,
    message: new RegExp(`^tokens\\.${name}: expected a number, got `),
  })),
]);

const vocabs: LogitsRefusal[] = [
  ...[0, -5, 4.5, Number.NaN, Infinity, 2 ** 31].map((vocab) => ({
    what: `vocab is ${vocab}`,
    batch: { vocab },
    ...range,
    message: new RegExp(`^vocab: expected an integer in 1\\.\\.2147483647, got ${vocab}$`),
  })),
  ...["5", null, undefined].map((vocab) => ({
    what: `vocab is ${vocab === "5" ? "a string" : vocab}`,
    batch: { vocab },
    ...kind,
    message: /^vocab: expected a number, got /,
  })),
  ...[4, 6, 2 ** 31 - 1].map((vocab) => ({
    what: `vocab is ${vocab} for logits of 5`,
    batch: { vocab },
    tokens: { inputIds: new Int32Array(POSITIONS) },
    ...shape,
    message: new RegExp(`^logits: expected ${POSITIONS * vocab} values, got ${POSITIONS * VOCAB}$`),
  })),
];

const arrays: LogitsRefusal[] = [
  ...(["inputIds", "completionMask"] as const).flatMap((name): LogitsRefusal[] => [
    ...[0, POSITIONS - 1, POSITIONS + 1].map((length) => ({
      what: `${length} ${name} for ${POSITIONS} positions`,
      tokens: { [name]: name === "inputIds" ? new Int32Array(length) : new Uint8Array(length) },
      ...shape,
      message: new RegExp(`^tokens\\.${name}: expected ${POSITIONS} values, got ${length}$`),
    })),
    ...[
      undefined,
      null,
      Array(POSITIONS).fill(0),
      "0".repeat(POSITIONS),
      new Float32Array(POSITIONS),
      new Uint32Array(POSITIONS),
    ].map((value) => ({
      what: `${name} is ${Object.prototype.toString.call(value)}`,
      tokens: { [name]: value },
      ...kind,
      message: new RegExp(`^tokens\\.${name}: expected .*Int32Array or BigInt64Array, got `),
    })),
  ]),
  ...[-1, 2, 255].map((bit) => ({
    what: `a mask holds ${bit}`,
    tokens: { completionMask: Int32Array.from(soundTokens().completionMask).with(3, bit) },
    ...range,
    message: new RegExp(`^tokens\\.completionMask\\[3\\]: expected 0 or 1, got ${bit} \\(row 0, position 3\\)$`),
  })),
];

/** Tokens and vocabularies that are refused, by both calls; ids and offsets: logits-id-refusals.ts. */
export const tokenRefusals: readonly LogitsRefusal[] = [
  ...counts,
  ...vocabs,
  ...arrays,
  ...[null, undefined, 3, "tokens"].map((tokens) => ({
    what: `the tokens are ${tokens}`,
    batch: { tokens },
    ...kind,
    message: /^tokens: expected an object, got /,
  })),
  {
    what: "positions are more than 2^31",
    tokens: { pairs: 2 ** 20, length: 2 ** 20 },
    ...range,
    message: /^2·pairs·length: expected an integer in 1\.\.2147483647, got /,
  },
];

// The calls of pairLoss that are refused: inputs in one table, options in the other. Each row says with which class, code
// and message. docs/errors.md has the form of messages: what, expected, got, where.

import type { ErrorCode } from "../../src/index.ts";

export interface Refusal {
  what: string;
  /** Replaces inputs of eight sound pairs; undefined takes one away. */
  pairs?: Record<string, unknown>;
  /** Gives what is passed instead of the pairs. */
  instead?: () => unknown;
  options?: unknown;
  error: "ShapeError" | "ParamError" | "KindError";
  code: ErrorCode;
  message: RegExp;
}

const shape = { error: "ShapeError" } as const;
const param = { error: "ParamError" } as const;
const kind = { error: "KindError", code: "wrong-kind" } as const;

const inputNames = ["policyChosen", "policyRejected", "referenceChosen", "referenceRejected", "pairWeights"];
const lengthNames = ["chosenLengths", "rejectedLengths"];
const filled = (length: number, value: number): Float32Array => new Float32Array(length).fill(value);

/** Eight numbers, one of them another. */
const eight = (at: number, value: number): Float32Array => filled(8, 2).with(at, value);

const longOrShort: Refusal[] = [...inputNames.slice(1), ...lengthNames].flatMap((name) =>
  [7, 9, 0].map((length) => ({
    what: `${name} of ${length} values for 8 pairs`,
    pairs: { [name]: filled(length, 1) },
    ...shape,
    code: "wrong-length" as const,
    message: new RegExp(`^${name}: expected 8 values \\(pairs\\), got ${length}$`),
  })),
);

const kinds: [string, unknown, string][] = [
  ["a plain array", Array(8).fill(1), "a plain array"],
  ["a number", 3, "a number"],
  ["null", null, "null"],
  ["a string", "12345678", "a string"],
  ["an object", { length: 8 }, "an object"],
  ["a DataView", new DataView(new ArrayBuffer(32)), "a DataView"],
  ["a BigUint64Array", new BigUint64Array(8), "a BigUint64Array"],
  ["a Uint8Array", new Uint8Array(8), "a Uint8Array"],
];
const wrongKinds: Refusal[] = [...inputNames, ...lengthNames].flatMap((name) =>
  [
    ...kinds,
    ...(lengthNames.includes(name)
      ? []
      : ([
          ["an Int32Array", new Int32Array(8), "an? Int32Array"],
          ["a BigInt64Array", new BigInt64Array(8), "a BigInt64Array"],
        ] as const)),
  ].map(([what, value, got]) => ({
    what: `${name} is ${what}`,
    pairs: { [name]: value },
    ...kind,
    message: new RegExp(`^${name}: expected a Float32Array or Float64Array.*, got ${got}$`),
  })),
);

const missing: Refusal[] = [
  ...["policyChosen", "policyRejected"].map((name) => ({
    what: `${name} is missing`,
    pairs: { [name]: undefined },
    ...kind,
    message: new RegExp(`^${name}: expected a Float32Array or Float64Array, got undefined$`),
  })),
  ...[
    { name: "referenceChosen", lossType: "sigmoid", options: {} },
    { name: "referenceRejected", lossType: "aot", options: { lossType: ["sft", "aot"] } },
    { name: "chosenLengths", lossType: "ipo", options: { lossType: "ipo" } },
    { name: "rejectedLengths", lossType: "sigmoid_norm", options: { lossType: ["hinge", "sigmoid_norm"] } },
    { name: "chosenLengths", lossType: "sft", options: { lossType: "sft" } },
    // Half a reference, where none is needed.
    { name: "referenceChosen", lossType: "referenceRejected", options: { referenceFree: true } },
    { name: "referenceRejected", lossType: "referenceChosen", options: { lossType: "sft" } },
  ].map(({ name, lossType, options }) => ({
    what: `${name} is missing with ${lossType}`,
    pairs: { [name]: undefined },
    options,
    ...param,
    code: "missing-input" as const,
    message: new RegExp(`^${name}: expected with ${lossType}, got nothing$`),
  })),
];

const badLengths: Refusal[] = lengthNames.flatMap((name) =>
  [-1, -0.5, Number.NaN, Infinity, -Infinity].map((value) => ({
    what: `${name} holds ${value}`,
    pairs: { [name]: eight(5, value) },
    ...param,
    code: "out-of-range" as const,
    message: new RegExp(`^${name}\\[5\\]: expected tokens ≥ 0, got ${value}$`),
  })),
);

const notFinite: Refusal[] = [...inputNames].flatMap((name, at) =>
  [Number.NaN, Infinity, -Infinity].map((value) => ({
    what: `${name} holds ${value}, under validate: "finite"`,
    pairs: { [name]: eight(at, value) },
    options: { validate: "finite" },
    ...param,
    code: "not-finite" as const,
    message: new RegExp(`^${name}\\[${at}\\]: expected a finite number, got ${value}$`),
  })),
);

/** Inputs that are refused. */
export const inputRefusals: readonly Refusal[] = [
  ...longOrShort,
  ...wrongKinds,
  ...missing,
  ...badLengths,
  ...notFinite,
  {
    what: "no pairs at all",
    instead: () => Object.fromEntries([...inputNames, ...lengthNames].map((name) => [name, new Float32Array()])),
    ...shape,
    code: "wrong-length",
    message: /^policyChosen: expected at least one pair, got 0$/,
  },
  ...[null, undefined, 3, "pairs"].map((instead) => ({
    what: `the pairs are ${instead}`,
    instead: () => instead,
    ...kind,
    message: /^pairs: expected an object, got (null|undefined|a number|a string)$/,
  })),
  ...["aot", "aot_unpaired"].map((lossType) => ({
    what: `pairWeights with ${lossType}`,
    options: { lossType: ["sigmoid", lossType] },
    ...param,
    code: "unused-option" as const,
    message: new RegExp(`^pairWeights: ${lossType} has ranks, not pairs, to weigh$`),
  })),
];

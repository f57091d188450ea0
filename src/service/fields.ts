// What the calls take, as requests name it: the names of the library, with a kind that says how JSON and tensors become arrays. The
// router, the reader of bodies and the OpenAPI document follow from these tables.

import { pairColumns, rowColumns } from "../losses/kinds.ts";

/** A value of a request. */
export type Kind =
  /** Log-probs, weights: float64 from JSON. */
  | "numbers"
  /** Logits, hidden states, weights of a head: float32 from JSON; float16 and bfloat16 as tensors. */
  | "floats"
  /** Token ids, offsets, lengths: int32. */
  | "ids"
  /** 0 or 1. */
  | "mask"
  /** 0 or 1, false or true. */
  | "flags"
  | "count"
  /** A count that may be 0. */
  | "index"
  | "number";

export interface Value {
  readonly kind: Kind;
  readonly about: string;
  readonly required?: true;
}

/** Fields with fields of their own; dots join them in the names of tensors. */
export interface Fields {
  readonly [name: string]: Value | { readonly fields: Fields; readonly about: string; readonly required?: true };
}

export const isValue = (field: Fields[string]): field is Value => "kind" in field;

const aboutColumns = {
  policy: "log-probs of the policy, nats, summed over the completion",
  reference: "the same of the reference",
  lengths: "completion tokens; losses per token need them",
  own: "what a reward model says of chosen less rejected, times η: the losses that are aware of it",
  weights: "multiplies the loss of each",
};

/** The columns of pairs, in the order of the library. */
export const pairFields: Fields = Object.fromEntries(
  pairColumns.map(({ name, of }): [string, Value] => {
    const field: Value = { kind: "numbers", about: `[B] ${aboutColumns[of]}` };
    return [name, of === "policy" ? { ...field, required: true } : field];
  }),
);

/** Those that a call on tokens cannot compute. */
const ownColumns: Fields = Object.fromEntries(
  pairColumns.flatMap(({ name, of }) => (of === "own" ? [[name, pairFields[name] as Value]] : [])),
);

/** The columns of rows, and the log-probs of the mismatched ones. */
export const rowFields: Fields = {
  ...Object.fromEntries(
    rowColumns.map(({ name, of }): [string, Value] => {
      if (of === "labels") return [name, { kind: "flags", about: "[B] 1: desirable", required: true }];
      const field: Value = { kind: "numbers", about: `[B] ${aboutColumns[of]}` };
      return [name, of === "policy" || of === "reference" ? { ...field, required: true } : field];
    }),
  ),
  klPolicy: { kind: "numbers", about: "kto: log-probs of the mismatched rows, any number of them" },
  klReference: { kind: "numbers", about: "the same of the reference" },
};

const tokenFields: Fields = {
  length: { kind: "count", about: "T, of padded rows" },
  logitsFrom: {
    kind: "index",
    about: "the position at which the logits or hidden states of each row begin; default 0",
  },
  inputIds: { kind: "ids", about: "[rows·T] padded; the chosen rows first" },
  completionMask: { kind: "mask", about: "[rows·T] 1 on completion tokens" },
  attentionMask: { kind: "mask", about: "[rows·T] the model's" },
  offsets: { kind: "ids", about: "[rows+1] packed: row r owns tokens offsets[r] .. offsets[r+1]-1" },
  targets: { kind: "ids", about: "the id predicted at each packed position" },
  lengths: { kind: "ids", about: "[rows] completion lengths of packed rows" },
};

const tokensOf = (counts: Fields): Fields => ({
  tokens: {
    fields: { ...counts, ...tokenFields },
    about: "padded (length, inputIds, completionMask) or packed (offsets, targets)",
    required: true,
  },
  vocab: { kind: "count", about: "V", required: true },
});

const pairs: Fields = { pairs: { kind: "count", about: "B; there are 2B rows, the B chosen first" } };
const rows: Fields = { rows: { kind: "count", about: "rows, in place of pairs" } };

const logits: Fields = { logits: { kind: "floats", about: "[rows·T·V] padded, [tokens·V] packed; row-major" } };

const head: Fields = {
  hiddenSize: { kind: "count", about: "D" },
  hidden: { kind: "floats", about: "[rows·T·D] padded, [tokens·D] packed" },
  weight: { kind: "floats", about: "[V·D] the LM head" },
  bias: { kind: "floats", about: "[V]" },
  lora: {
    fields: {
      a: { kind: "floats", about: "[rank·D] float32", required: true },
      b: { kind: "floats", about: "[V·rank] float32", required: true },
      rank: { kind: "count", about: "r", required: true },
      scale: { kind: "number", about: "alpha / rank", required: true },
    },
    about: "an adapter of the head, which is then frozen",
  },
};

const reference: Fields = {
  reference: {
    fields: {
      logps: { kind: "numbers", about: "[rows] log-probs" },
      logits: { kind: "floats", about: "in the layout of the policy's" },
      hiddenSize: { kind: "count", about: "default: the policy's" },
      hidden: { kind: "floats", about: "hidden states of the reference" },
      weight: { kind: "floats", about: "its head" },
      bias: { kind: "floats", about: "[V]" },
    },
    about: "one of logps; logits; hidden and weight",
  },
};

const required = (fields: Fields, ...names: string[]): Fields =>
  Object.fromEntries(
    Object.entries(fields).map(([name, field]) => [name, names.includes(name) ? { ...field, required: true } : field]),
  );

/** What losses of rows need beside their tokens. */
const labels: Fields = {
  desirable: { kind: "flags", about: "[rows] 1: desirable; losses of rows alone" },
  kl: {
    fields: {
      policy: { kind: "numbers", about: "any number of them", required: true },
      reference: { kind: "numbers", about: "the same of the reference", required: true },
    },
    about: "kto: log-probs of the mismatched rows, as sequence-logps gives them",
  },
};

export const logitsFields: Fields = {
  ...tokensOf({ ...pairs, ...rows }),
  ...required(logits, "logits"),
  ...reference,
  ...labels,
  ...ownColumns,
};

export const linearFields: Fields = {
  ...tokensOf({ ...pairs, ...rows }),
  ...required(head, "hiddenSize", "hidden", "weight"),
  ...reference,
  ...labels,
  ...ownColumns,
};

export const sequencesFields: Fields = { ...tokensOf({ ...pairs, ...rows }), ...logits, ...head };

export const gradientFields: Fields = {
  ...sequencesFields,
  gradients: {
    fields: {
      logps: { kind: "numbers", about: "[rows] dL / d logps" },
      tokenLogps: { kind: "numbers", about: "dL / d tokenLogps, in the layout of the tokens" },
      entropy: { kind: "numbers", about: "dL / d entropy, in the layout of the tokens" },
    },
    about: "of any function L of what sequence-logps gives",
    required: true,
  },
};

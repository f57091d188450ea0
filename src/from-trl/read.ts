// Reading one key of a configuration: its value, checked, or undefined where it is absent or null.

import { didYouMean } from "../checks/hints.ts";
import { isList } from "../checks/lists.ts";
import { lossSynonyms } from "../checks/loss-synonyms.ts";
import { quoted } from "../checks/printable.ts";
import { outOfRange, wrongKind } from "../checks/refusals.ts";
import { divergenceNames } from "../plan/plan.ts";
import type { FDivergence } from "../types.ts";
import { memberOf } from "./enums.ts";
import { formerKeys, type Key, type Kind, readKeys, type TruncationMode, type Values } from "./keys.ts";

export type TrlConfig = Readonly<Record<string, unknown>>;
export type Get = <K extends Key>(key: K) => Values[(typeof readKeys)[K]] | undefined;

const isNumber = (value: unknown): value is number => typeof value === "number";
const isText = (value: unknown): value is string => typeof value === "string";
const isTexts = (value: unknown): value is string[] => isList(value) && value.every(isText);
const isNumbers = (value: unknown): value is number[] => isList(value) && value.every(isNumber);
const isInteger = (value: unknown): value is number => Number.isSafeInteger(value);
const isReal = (value: unknown): value is number => Number.isFinite(value);

/** The divergence of a name, or of what Python prints for an enum's member: `FDivergenceType.JS_DIVERGENCE`. */
export const divergenceOf = (name: string): FDivergence | undefined => {
  const plain = memberOf("FDivergenceType", name).toLowerCase();
  return divergenceNames.find((known) => known === plain);
};

interface Check<T> {
  readonly expected: string;
  readonly holds: (value: unknown) => value is T;
  /** Right in kind where only the value may be wrong: the error is then a ParamError. */
  readonly kind: (value: unknown) => boolean;
}

const checks: { readonly [K in Kind]: Check<Values[K]> } = {
  number: { expected: "a number", holds: isReal, kind: isNumber },
  count: { expected: "a positive integer", holds: (v): v is number => isInteger(v) && v > 0, kind: isNumber },
  multiple: {
    expected: 'a positive integer or "auto"',
    holds: (v): v is number | string =>
      (isInteger(v) && v > 0) || (isText(v) && /^(auto|none|null|[1-9]\d{0,8})$/i.test(v)),
    kind: (v) => isNumber(v) || isText(v),
  },
  integer: { expected: "an integer", holds: isInteger, kind: isNumber },
  id: { expected: "a token id", holds: (v): v is number => isInteger(v) && v >= 0, kind: isNumber },
  flag: { expected: "true or false", holds: (v): v is boolean => typeof v === "boolean", kind: () => false },
  text: { expected: "a string", holds: isText, kind: () => false },
  names: {
    expected: "the name of a loss, or a list of them",
    holds: (v): v is string | string[] => isText(v) || (isTexts(v) && v.length > 0),
    kind: isTexts,
  },
  numbers: {
    expected: "a list of finite numbers",
    holds: (v): v is number[] => isNumbers(v) && v.every(isReal),
    kind: isNumbers,
  },
  divergence: {
    expected: `one of ${divergenceNames.join(", ")}`,
    holds: (v): v is string => isText(v) && divergenceOf(v) !== undefined,
    kind: isText,
  },
  truncation: {
    expected: '"keep_start" or "keep_end"',
    holds: (v): v is TruncationMode => v === "keep_start" || v === "keep_end",
    kind: isText,
  },
  object: {
    expected: "an object",
    holds: (v): v is object => typeof v === "object" && v !== null && !isList(v),
    kind: () => false,
  },
};

// Right in kind and wrong in value: a number, a name, or a list of either, of which the first few will do.
const show = (value: unknown): string => {
  if (isList(value)) return `[${value.slice(0, 8).map(show).join(", ")}${value.length > 8 ? ", …" : ""}]`;
  return typeof value === "string" ? quoted(value) : String(value);
};

/** The name under which a key is given: itself, or its former name where only that one is. */
export function spelling(config: TrlConfig, key: Key): string {
  const former = formerKeys[key];
  return former !== undefined && (config[key] ?? null) === null && (config[former] ?? null) !== null ? former : key;
}

/** A reader of a configuration. */
export const reader =
  (config: TrlConfig): Get =>
  (key) => {
    const name = spelling(config, key);
    const value = config[name] ?? undefined;
    const { expected, holds, kind } = checks[readKeys[key]];
    if (value === undefined || holds(value)) return value;
    if (!kind(value)) throw wrongKind(`config.${name}`, expected, value);
    throw outOfRange(`config.${name}`, expected, `${show(value)}${hint(readKeys[key], value)}`);
  };

const hint = (kind: Kind, value: unknown): string =>
  kind === "divergence" && isText(value)
    ? didYouMean(value, divergenceNames, { synonyms: lossSynonyms, show: quoted })
    : "";

// What a file of results has to hold before anything is made of it: files are cut off, edited, or another tool's.

import type { Figure } from "../../bench/types.ts";
import { keyOf } from "../../bench.ts";
import { printable } from "../../checks/printable.ts";
import { kindOfJson } from "../refusal.ts";

/** What is wrong with a value, and where: "figures[3].median: expected a number, 0 or more, got a string"; undefined where nothing is. */
type Shape = (value: unknown, at: string) => string | undefined;

const is =
  (expected: string, test: (value: unknown) => boolean): Shape =>
  (value, at) =>
    test(value) ? undefined : `${at}: expected ${expected}, got ${value === undefined ? "none" : kindOfJson(value)}`;

const text = is("a text", (value) => typeof value === "string");
const flag = is("true or false", (value) => typeof value === "boolean");
/** Times, rates, errors: JSON's 1e999 is Infinity, and its null mostly was NaN. */
const amount = is("a number, 0 or more", (value) => typeof value === "number" && value >= 0 && value < Infinity);
const count = is("a whole number, 0 or more", (value) => Number.isSafeInteger(value) && (value as number) >= 0);
const units = is("a whole number, 1 or more", (value) => Number.isSafeInteger(value) && (value as number) > 0);
const oneOf = (...words: readonly string[]): Shape => is(words.join(", "), (value) => words.includes(value as string));

const optional =
  (shape: Shape): Shape =>
  (value, at) =>
    value === undefined ? undefined : shape(value, at);

const first = <T>(all: readonly T[], fault: (one: T, k: number) => string | undefined): string | undefined => {
  for (const [k, one] of all.entries()) {
    const found = fault(one, k);
    if (found !== undefined) return found;
  }
  return undefined;
};

const list =
  (shape: Shape): Shape =>
  (value, at) =>
    Array.isArray(value)
      ? first(value, (one, k) => shape(one, `${at}[${k}]`))
      : is("an array", Array.isArray)(value, at);

const anObject = is("an object", (value) => typeof value === "object" && value !== null && !Array.isArray(value));

const record =
  (fields: Readonly<Record<string, Shape>>): Shape =>
  (value, at) =>
    anObject(value, at) ??
    first(Object.entries(fields), ([name, shape]) =>
      shape((value as Record<string, unknown>)[name], at === "" ? name : `${at}.${name}`),
    );

const named =
  (shape: Shape): Shape =>
  (value, at) =>
    anObject(value, at) ??
    first(Object.entries(value as object), ([name, one]) => shape(one, `${at}.${printable(name)}`));

const figure = record({
  case: is("a name with a /", (value) => typeof value === "string" && value.includes("/")),
  group: text,
  candidate: text,
  ours: flag,
  arrays: oneOf("allocate", "own", "fresh"),
  unit: text,
  units,
  median: amount,
  lower: amount,
  upper: amount,
  min: amount,
  rounds: list(amount),
  share: optional(record({ of: oneOf("bandwidth", "multiply-add"), value: amount })),
  work: optional(record({ bytes: amount, flops: amount, bound: oneOf("bandwidth", "multiply-add") })),
  error: record({ value: amount, of: text }),
  scratch: optional(amount),
});

const result = record({
  date: text,
  machine: record({ cpu: text, cores: count, platform: text, load: optional(list(amount)) }),
  runtime: record({ name: text, version: text, clockStep: amount, crossOriginIsolated: optional(flag) }),
  versions: named(text),
  settings: record({ quick: flag, seed: amount, rounds: count, processorTime: optional(flag) }),
  limits: record({ bandwidth: amount, plain: amount, relaxed: optional(amount) }),
  figures: list(figure),
  skipped: list(record({ case: optional(text), candidate: text, why: text })),
  notes: list(text),
});

/** What is wrong with a value as a result of schema 1, and where; undefined where nothing is. */
export const faultOf = (value: unknown): string | undefined =>
  result(value, "") ?? twice((value as { figures: Figure[] }).figures);

/** A figure that stands there twice would count for two. */
function twice(figures: readonly Figure[]): string | undefined {
  const seen = new Set<string>();
  return first(figures, (one, k) => {
    const key = keyOf(one);
    if (seen.has(key)) return `figures[${k}]: expected each figure once, got another ${printable(key)}`;
    seen.add(key);
    return undefined;
  });
}

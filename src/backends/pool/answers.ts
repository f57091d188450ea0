// What workers answer, checked before it is used: a file that is not ours, or garbled messages, must not become numbers.

import { SUMS } from "../../cpu/head-shards.ts";
import { arrayKind, kindOf } from "../../messages.ts";
import type { Answer } from "./protocol.ts";

/** Says what is wrong with an answer's value; undefined where it is sound. */
export type Sound = (value: unknown) => string | undefined;

/** Whether it is an answer at all. */
export function isAnswer(answer: unknown): answer is Answer<never> {
  if (typeof answer !== "object" || answer === null) return false;
  if ("value" in answer) return true;
  const { error } = answer as { error?: { name?: unknown; message?: unknown } };
  return typeof error?.name === "string" && typeof error.message === "string";
}

/** No value at all. */
export const nothing: Sound = (value) => (value === undefined ? undefined : `expected no value, got ${kindOf(value)}`);

type Check = (value: unknown, name: string) => string | undefined;

const array =
  (kind: string, length: number): Check =>
  (value, name) => {
    if (arrayKind(value) !== kind) return `${name}: expected a ${kind}, got ${kindOf(value)}`;
    const { length: got } = value as Float32Array;
    return got === length ? undefined : `${name}: expected ${length} values, got ${got}`;
  };

const number: Check = (value, name) =>
  typeof value === "number" ? undefined : `${name}: expected a number, got ${kindOf(value)}`;

const list: Check = (value, name) =>
  Array.isArray(value) ? undefined : `${name}: expected a list, got ${kindOf(value)}`;

function record(checks: Readonly<Record<string, Check | undefined>>): Check {
  return (value, name) => {
    if (typeof value !== "object" || value === null) return `${name}: expected an object, got ${kindOf(value)}`;
    for (const [key, check] of Object.entries(checks)) {
      const wrong = check?.((value as Record<string, unknown>)[key], `${name}.${key}`);
      if (wrong) return wrong;
    }
    return undefined;
  };
}

const answer =
  (call: string, checks: Readonly<Record<string, Check | undefined>>): Sound =>
  (value) =>
    record(checks)(value, `answer to ${call}`);

/** `chosen` of the rows are of chosen completions. */
export function readAnswer(rows: number, chosen: number, statistics: boolean): Sound {
  const each = array("Float64Array", rows);
  return answer("read", {
    max: each,
    sum: each,
    label: each,
    hit: array("Uint8Array", chosen),
    statistics: statistics ? record({ weighted: each, squares: each, total: each }) : undefined,
  });
}

/** `kind` and `length` of the rows that have to come back; undefined where they were written to shared memory. */
export const gradientAnswer = (rows: { kind: string; length: number } | undefined): Sound =>
  answer("gradient", { rows: rows && array(rows.kind, rows.length) });

/** Sums of so many shards; `results` are the names of the arrays that come back. */
export function pairsAnswer(pairs: number, shards: number, sums: readonly string[], results: readonly string[]): Sound {
  const all = <T>(names: readonly string[], check: T) => Object.fromEntries(names.map((name) => [name, check]));
  return answer("pairs", {
    sums: record(Object.fromEntries(Array.from({ length: shards }, (_, i) => [i, record(all(sums, number))]))),
    results: record(all(results, array("Float32Array", pairs))),
  });
}

export const forwardAnswer = (tokens: number): Sound =>
  answer("forward", { sums: array("Float64Array", SUMS * tokens), copies: list });

/** `columns` numbers of each token's row are used; `out` are the gradients that come back. */
export function backwardAnswer(
  tokens: number,
  columns: number,
  out: Readonly<Record<string, { kind: string; length: number } | undefined>>,
): Sound {
  const rows: Check = (value, name) => {
    const { data, stride } = Object(value) as { data?: unknown; stride?: unknown };
    const wrong = number(stride, `${name}.stride`) ?? array("Float32Array", Object(data).length)(data, `${name}.data`);
    if (wrong) return wrong;
    const least = (tokens - 1) * (stride as number) + columns;
    const enough = (stride as number) >= columns && (data as Float32Array).length >= least;
    return enough ? undefined : `${name}: expected ${tokens} rows of ${columns} numbers, got fewer`;
  };
  const gradients = Object.entries(out).map(([name, of]) => {
    return [name, of && record({ data: array(of.kind, of.length) })] as const;
  });
  return answer("backward", { hidden: rows, out: record(Object.fromEntries(gradients)), copies: list });
}

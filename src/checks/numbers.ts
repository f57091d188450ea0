// Numbers that a caller gives.

import { outOfRange, wrongKind } from "./refusals.ts";

/** A finite number, or an error that names it. */
export function checkNumber(value: unknown, name: string): asserts value is number {
  if (typeof value !== "number") throw wrongKind(name, "a number", value);
  if (!Number.isFinite(value)) throw outOfRange(name, "a finite number", value);
}

/** An integer in a range, from 1 on unless told otherwise, or an error that names it. */
export function checkCount(value: unknown, name: string, least = 1, most = 2 ** 31 - 1): asserts value is number {
  if (typeof value !== "number") throw wrongKind(name, "a number", value);
  if (!Number.isSafeInteger(value) || value < least || value > most) {
    throw outOfRange(name, `an integer in ${least}..${most}`, value);
  }
}

/** true or false, or an error that names it. */
export function checkFlag(value: unknown, name: string): asserts value is boolean {
  if (typeof value !== "boolean") throw wrongKind(name, "true or false", value);
}

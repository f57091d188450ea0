// Numbers that a caller gives.

import { KindError, ParamError } from "../errors.ts";
import { kindOf } from "../messages.ts";

/** A finite number, or an error that names it. */
export function checkNumber(value: unknown, name: string): asserts value is number {
  if (typeof value !== "number") throw new KindError(`${name}: expected a number, got ${kindOf(value)}`);
  if (!Number.isFinite(value)) throw new ParamError("out-of-range", `${name}: expected a finite number, got ${value}`);
}

/** An integer in a range, from 1 on unless told otherwise, or an error that names it. */
export function checkCount(value: unknown, name: string, least = 1, most = 2 ** 31 - 1): asserts value is number {
  if (typeof value !== "number") throw new KindError(`${name}: expected a number, got ${kindOf(value)}`);
  if (!Number.isSafeInteger(value) || value < least || value > most) {
    throw new ParamError("out-of-range", `${name}: expected an integer in ${least}..${most}, got ${value}`);
  }
}

/** true or false, or an error that names it. */
export function checkFlag(value: unknown, name: string): asserts value is boolean {
  if (typeof value !== "boolean") throw new KindError(`${name}: expected true or false, got ${kindOf(value)}`);
}

// Errors of one form: where, what was expected, what came.

import { KindError, ParamError, ShapeError } from "../errors.ts";
import { kindOf } from "../messages.ts";

/** A value of another kind than expected. */
export const wrongKind = (name: string, expected: string, got: unknown): KindError =>
  new KindError(`${name}: expected ${expected}, got ${kindOf(got)}`);

/** A value of the right kind that is none of those expected; text as it is to be shown. */
export const outOfRange = (name: string, expected: string, got: unknown): ParamError =>
  new ParamError("out-of-range", `${name}: expected ${expected}, got ${got}`);

/** An array, or a list, of another length than expected. */
export const wrongLength = (name: string, expected: string, got: unknown): ShapeError =>
  new ShapeError("wrong-length", `${name}: expected ${expected}, got ${got}`);

/** An object whose fields throw. */
export const unreadable = (name: string, cause: unknown): KindError =>
  new KindError(`${name}: expected an object that can be read, got one that throws`, { cause });

/** An option that what it is given with could only ignore. */
export const unusedOption = (name: string, why: string): ParamError =>
  new ParamError("unused-option", `${name}: ${why}`);

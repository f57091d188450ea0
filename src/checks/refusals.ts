// Errors of one form: where, what was expected, what came.

import { KindError, ParamError, ShapeError } from "../errors.ts";
import { kindOf, shown } from "../messages.ts";
import { didYouMean, type Synonyms } from "./hints.ts";
import { quoted } from "./printable.ts";

/** A value of another kind than expected. */
export const wrongKind = (name: string, expected: string, got: unknown): KindError =>
  new KindError(`${name}: expected ${expected}, got ${kindOf(got)}`);

/** A value of the right kind that is none of those expected; text as it is to be shown. */
export const outOfRange = (name: string, expected: string, got: unknown): ParamError =>
  new ParamError("out-of-range", `${name}: expected ${expected}, got ${got}`);

/** None of the names that there are, with the one that was probably meant. */
export const noneOf = (name: string, known: readonly string[], got: unknown, synonyms: Synonyms = []): ParamError => {
  const hint = typeof got === "string" ? didYouMean(got, known, { synonyms, show: quoted }) : "";
  return outOfRange(name, `one of ${known.join(", ")}`, `${shown(got)}${hint}`);
};

/** An array, or a list, of another length than expected. */
export const wrongLength = (name: string, expected: string, got: unknown): ShapeError =>
  new ShapeError("wrong-length", `${name}: expected ${expected}, got ${got}`);

/** An object whose fields throw. */
export const unreadable = (name: string, cause: unknown): KindError =>
  new KindError(`${name}: expected an object that can be read, got one that throws`, { cause });

/** An option that what it is given with could only ignore. */
export const unusedOption = (name: string, why: string): ParamError =>
  new ParamError("unused-option", `${name}: ${why}`);

// How objects that a caller hands in are read: every field once, into a record of our own, so that what is checked is what is
// used; and a name that is not known is refused, since ignored it would give another result than the one asked for.

import { DpoError, ParamError } from "../errors.ts";
import { isRecord } from "../messages.ts";
import { didYouMean, type Synonyms } from "./hints.ts";
import { printable } from "./printable.ts";
import { unreadable, wrongKind } from "./refusals.ts";

/** How the messages name an object and its fields. */
export interface RecordWords {
  /** The object: "pairs", "options". */
  readonly what: string;
  /** What a field is: "an option of createPool". */
  readonly field: string;
  /** Stands before a field's name. Default: the object and a full stop; nothing before an option. */
  readonly prefix?: string;
  /** What is expected in place of something else. Default: "an object". */
  readonly expected?: string;
  /** Other words for the fields, for hints. */
  readonly synonyms?: Synonyms;
}

/**
 * A reader of objects with these fields. Fields of classes, getters and inherited ones count; `undefined` is absent. A function that
 * takes the fields out, naming them in its parameter and in its result, is faster than their list: for calls of a few pairs.
 *
 * Returns   a function from what was given to a record with each field, read once; `others` tells of further
 *           names, which are read as well
 * Throws    (that function) KindError for what is no object, or cannot be read; ParamError for a name that is not known
 * For example, `const read = recordOf<Options>({ what: "options", field: "an option of add" }, ["a", "b"])`, and in the call
 * `const { a = 0, b = 0 } = read(options)`.
 */
// Bundlers may leave out a reader that nothing calls: a worker reads no options.
/* @__NO_SIDE_EFFECTS__ */
export function recordOf<T extends object>(
  words: RecordWords,
  fields: readonly (keyof T & string)[] | ((given: T) => T),
): (given: unknown, others?: (record: T) => readonly string[]) => T {
  const pick = typeof fields === "function" ? fields : picking(fields);
  const names: ReadonlySet<string> = new Set(Object.keys(pick({} as T)));
  return (given, othersOf) => {
    let record: T;
    let unknown: string | undefined;
    let others: readonly string[] | undefined;
    try {
      if (!isRecord(given)) throw notRecord;
      record = pick(given as T);
      others = othersOf?.(record);
      for (const name of others ?? none) {
        if (!Object.hasOwn(record, name)) record[name as keyof T] = (given as T)[name as keyof T];
      }
      unknown = findUnknown(given, names, others);
    } catch (cause) {
      throw notRead(words, given, cause);
    }
    if (unknown === undefined) return record;
    throw unknownName(words, unknown, others ? [...names, ...others] : [...names]);
  };
}

const picking =
  <T extends object>(fields: readonly (keyof T & string)[]) =>
  (given: T): T => {
    const record = {} as T;
    for (const name of fields) record[name] = given[name];
    return record;
  };

/** A copy of an object of any names, own and inherited, each read once. Throws    KindError */
export function copyRecord(given: unknown, what: string): Record<string, unknown> {
  try {
    if (!isRecord(given)) throw notRecord;
    const copy: Record<string, unknown> = Object.create(null);
    for (const name in given) copy[name] = given[name as never];
    return copy;
  } catch (cause) {
    throw notRead({ what, field: "" }, given, cause);
  }
}

const notRecord = {};
const none: readonly string[] = [];

function notRead({ what, expected = "an object" }: RecordWords, given: unknown, cause: unknown): Error {
  if (cause instanceof DpoError) return cause;
  if (cause === notRecord) return wrongKind(what, expected, given);
  return unreadable(what, cause);
}

function findUnknown(
  given: object,
  names: ReadonlySet<string>,
  others: readonly string[] | undefined,
): string | undefined {
  for (const name in given) {
    if (names.has(name) || others?.includes(name) || given[name as never] === undefined) continue;
    // What some script added to all objects was not written here.
    if (name in Object.prototype && !Object.hasOwn(given, name)) continue;
    return name;
  }
  return undefined;
}

function unknownName(
  { what, field, prefix = what === "options" ? "" : `${what}.`, synonyms = [] }: RecordWords,
  name: string,
  known: readonly string[],
): ParamError {
  const hint = didYouMean(name, known, { synonyms, show: (meant) => `${prefix}${meant}` });
  return new ParamError(
    "unknown-option",
    `${prefix}${printable(name)}: not ${field}; known: ${known.join(", ")}${hint}`,
  );
}

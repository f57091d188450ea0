// Lists that a caller hands in: each entry read once and by its index, so that holes are values that are missing.

import { DpoError, KindError } from "../errors.ts";

/** Whether it is a plain array, also one of another realm. A proxy that was revoked is none. */
export function isList(value: unknown): value is readonly unknown[] {
  try {
    return Array.isArray(value);
  } catch {
    return false;
  }
}

/**
 * What `read` makes of each entry of a list, of the first `most` at most.
 *
 * Throws    KindError for a list that cannot be read; what `read` throws of ours
 */
export function mapList<T, U>(
  list: ArrayLike<T>,
  name: string,
  read: (entry: T, at: number) => U,
  most = Infinity,
): U[] {
  try {
    const { length } = list;
    const made: U[] = [];
    for (let i = 0; i < length && i < most; i++) made.push(read(list[i] as T, i));
    return made;
  } catch (cause) {
    if (cause instanceof DpoError) throw cause;
    throw new KindError(`${name}: expected a list that can be read, got one that throws`, { cause });
  }
}

/** The first entries of a list. Throws    KindError for one that cannot be read */
export const copyList = <T>(list: ArrayLike<T>, name: string, most: number): T[] =>
  mapList(list, name, (entry) => entry, most);

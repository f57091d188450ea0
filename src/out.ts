// The buffers that `out` may name: their kinds, their lengths, and what memory they may share.

import { KindError, ParamError, ShapeError } from "./errors.ts";
import { arrayKind, kindOf } from "./plan.ts";

/** A result that `out` may name. */
export interface Wanted {
  readonly name: string;
  readonly kinds: readonly string[];
}

/**
 * Checks buffers for results. A result may be written over the very input it came from, since what it needs is read before
 * it is written; any other sharing of memory would mix results with inputs still to be read.
 *
 * Throws    ParamError for unknown names, KindError, ShapeError
 */
export function checkOut(
  out: object,
  wanted: readonly Wanted[],
  lengthOf: (name: string) => number,
  inputs: object,
  names: readonly string[],
): void {
  if (typeof out !== "object" || out === null) throw new KindError(`out: expected an object, got ${kindOf(out)}`);
  const given = out as Views;
  for (const name in given) {
    if (given[name] === undefined || wanted.some((result) => result.name === name)) continue;
    const known = wanted.map((result) => result.name).join(", ");
    throw new ParamError("unknown-option", `out.${name}: not a result; known: ${known}`);
  }
  for (let k = 0; k < wanted.length; k++) {
    const { name, kinds } = wanted[k] as Wanted;
    const array = given[name];
    if (array === undefined) continue;
    if (!kinds.includes(arrayKind(array))) {
      throw new KindError(`out.${name}: expected a ${kinds.join(" or ")}, got ${kindOf(array)}`);
    }
    if (array.length !== lengthOf(name)) {
      throw new ShapeError("wrong-length", `out.${name}: expected ${lengthOf(name)} values, got ${array.length}`);
    }
    // One look at each buffer: the getter is what a call of a few pairs spends its time on.
    const { buffer } = array;
    for (let j = 0; j < k; j++) {
      const other = given[(wanted[j] as Wanted).name];
      if (other === undefined || other.buffer !== buffer || !overlap(array, other)) continue;
      const { name: earlier } = wanted[j] as Wanted;
      throw new ShapeError("overlap", `out.${name}: expected memory of its own, got that of out.${earlier}`);
    }
    for (let j = 0; j < names.length; j++) {
      const input = names[j] as string;
      const other = (inputs as Views)[input];
      if (other === undefined || other.buffer !== buffer || !overlap(array, other) || same(array, other)) continue;
      throw new ShapeError("overlap", `out.${name}: expected all of ${input} or none of it, got a part`);
    }
  }
}

type Views = Record<string, (ArrayBufferView & { readonly length: number }) | undefined>;

/** Whether two views share a byte. */
export const overlap = (a: ArrayBufferView, b: ArrayBufferView): boolean =>
  a.buffer === b.buffer && a.byteOffset < b.byteOffset + b.byteLength && b.byteOffset < a.byteOffset + a.byteLength;

const same = (a: ArrayBufferView, b: ArrayBufferView): boolean =>
  a.byteOffset === b.byteOffset && a.byteLength === b.byteLength;

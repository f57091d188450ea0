// The buffers that `out` may name: their kinds, their lengths, and what memory they may share.

import { wrongKind, wrongLength } from "../checks/refusals.ts";
import { bufferOf, bytesOf, lengthOf, type Memory, offsetOf, refuseStray, shareBytes } from "../checks/views.ts";
import { ShapeError } from "../errors.ts";
import { arrayKind } from "../messages.ts";

/** A result that `out` may name. */
export interface Wanted {
  readonly name: string;
  readonly kinds: readonly string[];
}

/** Arrays by name. */
export type Arrays = Readonly<Record<string, Memory | undefined>>;

/**
 * Checks buffers for results, from a record of them. A result may be written over the very input it came from, since what it
 * needs is read before it is written; any other sharing of memory would mix results with inputs still to be read. `inputBuffers`
 * are those of the inputs by the names in `names`.
 *
 * Throws    KindError, ShapeError
 */
export function checkOut(
  out: object,
  wanted: readonly Wanted[],
  countOf: (name: string) => number,
  inputs: object,
  names: readonly string[],
  inputBuffers: readonly (object | undefined)[],
): void {
  const given = out as Arrays;
  const buffers: (object | undefined)[] = [];
  for (let k = 0; k < wanted.length; k++) {
    const { name, kinds } = wanted[k] as Wanted;
    const array = given[name];
    buffers.push(undefined);
    if (array === undefined) continue;
    if (!kinds.includes(arrayKind(array))) {
      throw wrongKind(`out.${name}`, `a ${kinds.join(" or ")}`, array);
    }
    if (lengthOf(array) !== countOf(name)) {
      throw wrongLength(`out.${name}`, `${countOf(name)} values`, lengthOf(array));
    }
    const buffer = bufferOf(array);
    refuseStray(array, name, buffer, "out.");
    buffers[k] = buffer;
    for (let j = 0; j < k; j++) {
      const { name: earlier } = wanted[j] as Wanted;
      if (buffers[j] !== buffer || !shareBytes(array, given[earlier] as Memory)) continue;
      throw new ShapeError("overlap", `out.${name}: expected memory of its own, got that of out.${earlier}`);
    }
    for (let j = 0; j < names.length; j++) {
      if (inputBuffers[j] !== buffer) continue;
      const input = names[j] as string;
      const other = (inputs as Arrays)[input] as Memory;
      if (!shareBytes(array, other) || same(array, other)) continue;
      throw new ShapeError("overlap", `out.${name}: expected all of ${input} or none of it, got a part`);
    }
  }
}

const same = (a: Memory, b: Memory): boolean => offsetOf(a) === offsetOf(b) && bytesOf(a) === bytesOf(b);

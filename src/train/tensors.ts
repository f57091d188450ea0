// Parameters, gradients and what optimisers keep of them: arrays of float32, checked before any of them is written.

import { isList, mapList } from "../checks/lists.ts";
import { wrongKind, wrongLength } from "../checks/refusals.ts";
import { bufferOf, lengthOf, plainView, refuseStray } from "../checks/views.ts";
import { ShapeError } from "../errors.ts";
import { arrayKind } from "../messages.ts";

export type Tensor = Float32Array<ArrayBufferLike>;

/** An array of float32, or a list of them: as PyTorch's list of parameters. Views of a SharedArrayBuffer are accepted. */
export type Tensors = Tensor | readonly Tensor[];

/**
 * The arrays of an argument.
 *
 * Throws    KindError
 */
export function listOf(value: Tensors, name: string): readonly Tensor[] {
  if (!isList(value)) return [tensorOf(value as Tensor, name, "a Float32Array or a list of them")];
  // A hole ends a list of any length.
  return mapList(value, name, (array: Tensor, i) => tensorOf(array, nameOf(name, value, i), "a Float32Array"));
}

function tensorOf(array: Tensor, name: string, expected: string): Tensor {
  if (arrayKind(array) !== "Float32Array") throw wrongKind(name, expected, array);
  if (lengthOf(array) === 0 && isDetached(array)) {
    throw wrongLength(name, "an array", "one whose buffer is detached");
  }
  refuseStray(array, name, bufferOf(array));
  return plainView(array, "Float32Array");
}

// `detached` is younger than the engines that this runs on; a view of such a buffer cannot be made in any.
function isDetached(array: Tensor): boolean {
  try {
    return new Uint8Array(bufferOf(array)).length < 0;
  } catch {
    return true;
  }
}

/**
 * The arrays of several arguments, array by array: those of the first parameter in each, those of the second … All must have
 * the lengths of the first argument's, and what is written must be no other's memory. `read` names the one that is only read.
 *
 * Throws    KindError, ShapeError
 */
export function readTensors(given: Readonly<Record<string, Tensors>>, read?: string): Tensor[][] {
  const names = Object.keys(given);
  const [first = "", ...others] = names;
  const lists = new Map(names.map((name) => [name, listOf(given[name] as Tensors, name)]));
  const firsts = lists.get(first) as readonly Tensor[];
  for (const name of others) {
    const list = lists.get(name) as readonly Tensor[];
    if (list.length !== firsts.length) {
      throw wrongLength(name, `${firsts.length} arrays (${first})`, list.length);
    }
    list.forEach(({ length }, i) => {
      const expected = (firsts[i] as Tensor).length;
      if (length === expected) return;
      const where = nameOf(name, given[name] as Tensors, i);
      throw wrongLength(where, `${expected} values (${first})`, length);
    });
  }
  refuseOverlaps(
    names.flatMap((name) =>
      (lists.get(name) as readonly Tensor[]).map((array, i) => ({
        name: nameOf(name, given[name] as Tensors, i),
        array,
        written: name !== read,
      })),
    ),
  );
  return firsts.map((_, i) => names.map((name) => lists.get(name)?.[i] as Tensor));
}

export const nameOf = (name: string, value: unknown, i: number): string => (isList(value) ? `${name}[${i}]` : name);

/** An array of an argument, here or on a GPU. */
interface Use {
  readonly name: string;
  readonly array: { readonly buffer: object; readonly byteOffset: number; readonly byteLength: number };
  readonly written: boolean;
}

// In the order of addresses each array has to begin behind all before it; arrays that are only read may share.
export function refuseOverlaps(uses: readonly Use[]): void {
  const buffers = new Map<object, Use[]>();
  for (const use of uses) {
    const { buffer } = use.array;
    const sharing = buffers.get(buffer);
    if (sharing) sharing.push(use);
    else buffers.set(buffer, [use]);
  }
  for (const sharing of buffers.values()) {
    const furthest: { read?: Use; written?: Use } = {};
    for (const use of sharing.filter(({ array }) => array.byteLength > 0).sort(byAddress)) {
      const { name, array, written } = use;
      for (const before of [furthest.written, written ? furthest.read : undefined]) {
        if (!before || endOf(before) <= array.byteOffset) continue;
        throw new ShapeError("overlap", `${name}: expected memory of its own, got that of ${before.name}`);
      }
      const side = written ? "written" : "read";
      if (!furthest[side] || endOf(use) > endOf(furthest[side])) furthest[side] = use;
    }
  }
}

const byAddress = (a: Use, b: Use): number => a.array.byteOffset - b.array.byteOffset;
const endOf = ({ array }: Use): number => array.byteOffset + array.byteLength;

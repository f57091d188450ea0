// The token lists of an example, under the names of every TRL version, as arrays, tensors or what a tokenizer returns.

import { outOfRange, unreadable, unusedOption, wrongKind, wrongLength } from "../checks/refusals.ts";
import { DpoError, KindError, ParamError } from "../errors.ts";

type Side = "prompt" | "chosen" | "rejected" | "completion";

type List = ArrayLike<unknown>;

const least = -(2 ** 31);
const most = 2 ** 31 - 1;

/**
 * Copies of the lists of an example, without the ids that an attention mask hides. TRL's names come first: beside them, the
 * plain ones hold texts.
 *
 * Throws    KindError for what is no list of numbers, or cannot be read; ShapeError for a tensor of several sequences, a mask
 *           of another length; ParamError for what is no 32-bit id, and for lists of TRL before v0.12
 */
export function readExample<S extends Side>(
  example: object,
  sides: readonly S[],
  where: string,
): Readonly<Record<S, Int32Array>> {
  try {
    const lists = {} as Record<S, Int32Array>;
    // Ten calls deep is as far as a stack is shown.
    for (const side of sides) lists[side] = readIds(example, side, where);
    return lists;
  } catch (cause) {
    if (cause instanceof DpoError) throw cause;
    throw unreadable(where, cause);
  }
}

function readIds(example: object, side: Side, where: string): Int32Array {
  const fields = example as Readonly<Record<string, unknown>>;
  const [name, value] = firstOf(fields, [`${side}_ids`, `${side}_input_ids`, side]);
  if (fields[`${side}_labels`] !== undefined) {
    // TRL before v0.12: a side's input_ids begin with the prompt, its labels are -100 there.
    const expected = "expected prompt and completion apart, as TRL has them since v0.12";
    throw unusedOption(`${where}.${side}_labels`, `${expected}, got labels over both`);
  }
  const place = `${where}.${name}`;
  const { ids, mask } = unwrap(value, place);
  const maskPlace = mask === undefined ? `${where}.${side}_attention_mask` : `${place}.attention_mask`;
  const bits = mask ?? fields[`${side}_attention_mask`];
  const kept = bits === undefined || bits === null ? undefined : readMask(bits, maskPlace, ids.length);
  // Nothing predicts a prompt, and some models mark images there by negative ids.
  return copyIds(ids, place, side === "prompt" ? least : 0, kept, maskPlace);
}

function firstOf(fields: Readonly<Record<string, unknown>>, names: readonly string[]): [name: string, value: unknown] {
  for (const name of names) {
    const value = fields[name];
    if (value !== undefined) return [name, value];
  }
  return [names.at(-1) ?? "", undefined];
}

/** The ids in a list, a tensor, or a tokenizer's `{ input_ids, attention_mask }`, and its mask. */
function unwrap(value: unknown, place: string): { ids: List; mask: unknown } {
  const { input_ids, attention_mask } = isRecord(value) ? value : {};
  const encoded = input_ids !== undefined;
  const ids = listOf(encoded ? input_ids : value, encoded ? `${place}.input_ids` : place);
  return { ids, mask: encoded ? attention_mask : undefined };
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !isList(value);

const isList = (value: unknown): value is List =>
  Array.isArray(value) || (ArrayBuffer.isView(value) && "length" in value);

function listOf(value: unknown, place: string): List {
  if (isList(value)) return value;
  const tensor = isRecord(value) ? value : {};
  const { dims } = tensor;
  if (!isList(dims)) {
    throw wrongKind(place, "token ids, in an array or a typed array", value);
  }
  const data = dataOf(tensor, place);
  const sizes = Array.from(dims, Number);
  // [n], [1, n]: a tokenizer gives a batch of one.
  if (sizes.length > 0 && sizes.slice(0, -1).every((size) => size === 1) && sizes.at(-1) === data.length) return data;
  const got = `a tensor of dims [${sizes.slice(0, 8).join(", ")}]`;
  throw wrongLength(place, `one sequence of ${data.length} ids`, got);
}

// A tensor on a GPU throws when its data are asked for.
function dataOf(tensor: Readonly<Record<string, unknown>>, place: string): List {
  let data: unknown;
  try {
    ({ data } = tensor);
  } catch (cause) {
    throw new KindError(`${place}: expected a tensor on the CPU, got one whose data cannot be read`, { cause });
  }
  if (isList(data)) return data;
  throw wrongKind(`${place}.data`, "an array or a typed array", data);
}

function readMask(value: unknown, place: string, length: number): List {
  const mask = listOf(value, place);
  if (mask.length === length) return mask;
  throw wrongLength(place, `${length} values, as many as ids`, mask.length);
}

function copyIds(list: List, place: string, from: number, mask: List | undefined, maskPlace: string): Int32Array {
  const ids = new Int32Array(list.length);
  let kept = 0;
  for (let t = 0; t < list.length; t++) {
    if (mask && !isKept(mask[t], `${maskPlace}[${t}]`)) continue;
    const given = list[t];
    const id = typeof given === "bigint" ? Number(given) : given;
    if (typeof id !== "number") throw wrongKind(`${place}[${t}]`, "a token id", id);
    ids[kept] = id;
    // What is no 32-bit integer comes back changed.
    if (ids[kept] !== id || id < from) {
      throw new ParamError("bad-id", `${place}[${t}]: expected an id in ${from}..${most}, got ${given}`);
    }
    kept++;
  }
  return ids.subarray(0, kept);
}

function isKept(bit: unknown, place: string): boolean {
  if (bit === 1 || bit === 1n || bit === true) return true;
  if (bit === 0 || bit === 0n || bit === false) return false;
  if (typeof bit !== "number" && typeof bit !== "bigint") {
    throw wrongKind(place, "0 or 1", bit);
  }
  throw outOfRange(place, "0 or 1", bit);
}

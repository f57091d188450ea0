// What collate is given, checked: options and token ids.

import type { CollateOptions } from "../collate.ts";
import { KindError, ParamError } from "../errors.ts";
import { kindOf } from "../plan.ts";

/** The options with their defaults filled in. */
export type Settings = { readonly [K in keyof CollateOptions]-?: Exclude<CollateOptions[K], undefined> };

const least = -(2 ** 31);
const most = 2 ** 31 - 1;

/** Throws    KindError, ParamError for what is no option, or none of this layout */
export function readOptions(options: CollateOptions): Settings {
  if (typeof options !== "object" || options === null) {
    throw new KindError(`options: expected an object, got ${kindOf(options)}`);
  }
  const settings: Settings = {
    maxLength: readInteger(options, "maxLength", 1, Infinity),
    truncationMode: readName(options, "truncationMode", ["keep_start", "keep_end"]),
    maxPromptLength: readInteger(options, "maxPromptLength", 1, Infinity),
    maxCompletionLength: readInteger(options, "maxCompletionLength", 1, Infinity),
    padToMultipleOf: readInteger(options, "padToMultipleOf", 1, 1),
    padTokenId: readInteger(options, "padTokenId", least, 0),
    layout: readName(options, "layout", ["padded", "packed"]),
  };
  for (const name in options) {
    if (Object.hasOwn(settings, name) || options[name as keyof CollateOptions] === undefined) continue;
    throw new ParamError("unknown-option", `${name}: not an option; known: ${Object.keys(settings).join(", ")}`);
  }
  if (settings.layout === "packed" && settings.padToMultipleOf !== 1) throw unused("padToMultipleOf");
  if (settings.layout === "packed" && settings.padTokenId !== 0) throw unused("padTokenId");
  return settings;
}

const unused = (name: string): ParamError =>
  new ParamError("unused-option", `${name}: not used by layout "packed", which has no padding`);

function readInteger(options: CollateOptions, name: keyof CollateOptions, from: number, absent: number): number {
  const value: unknown = options[name];
  if (value === undefined) return absent;
  if (typeof value !== "number") throw new KindError(`${name}: expected an integer, got ${kindOf(value)}`);
  if (Number.isSafeInteger(value) && value >= from && (from > 0 || value <= most)) return value;
  const expected = from > 0 ? `an integer of at least ${from}` : `an integer in ${from}..${most}`;
  throw new ParamError("out-of-range", `${name}: expected ${expected}, got ${value}`);
}

function readName<T extends string>(
  options: CollateOptions,
  name: keyof CollateOptions,
  known: readonly [T, ...T[]],
): T {
  const value: unknown = options[name];
  if (value === undefined) return known[0];
  const found = known.find((one) => one === value);
  if (found !== undefined) return found;
  const expected = known.map((one) => `"${one}"`).join(" or ");
  if (typeof value !== "string") throw new KindError(`${name}: expected ${expected}, got ${kindOf(value)}`);
  throw new ParamError("out-of-range", `${name}: expected ${expected}, got ${JSON.stringify(value)}`);
}

/**
 * A copy of one list of an example. TRL's names come first: beside them, the plain ones hold texts.
 *
 * Throws    KindError for what is no list of numbers; ParamError for what is no 32-bit id
 */
export function readIds(example: object, side: "prompt" | "chosen" | "rejected", where: string): Int32Array {
  const lists = example as Readonly<Record<string, unknown>>;
  const name = lists[`${side}_ids`] === undefined ? side : `${side}_ids`;
  const list = lists[name];
  if (!isList(list)) {
    throw new KindError(`${where}.${name}: expected token ids, in an array or a typed array, got ${kindOf(list)}`);
  }
  // Nothing predicts a prompt, and some models mark images there by negative ids.
  const from = side === "prompt" ? least : 0;
  const ids = new Int32Array(list.length);
  for (let t = 0; t < ids.length; t++) {
    const given = list[t];
    const id = typeof given === "bigint" ? Number(given) : given;
    if (typeof id !== "number") throw new KindError(`${where}.${name}[${t}]: expected a token id, got ${kindOf(id)}`);
    ids[t] = id;
    // What is no 32-bit integer comes back changed.
    if (ids[t] !== id || id < from) {
      throw new ParamError("bad-id", `${where}.${name}[${t}]: expected an id in ${from}..${most}, got ${given}`);
    }
  }
  return ids;
}

const isList = (value: unknown): value is ArrayLike<unknown> =>
  Array.isArray(value) || (ArrayBuffer.isView(value) && "length" in value);

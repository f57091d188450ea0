// The options of collate, checked.

import { collateSynonyms } from "../checks/collate-synonyms.ts";
import { quoted } from "../checks/printable.ts";
import { recordOf } from "../checks/record.ts";
import { outOfRange, unusedOption, wrongKind } from "../checks/refusals.ts";
import type { ParamError } from "../errors.ts";
import type { CollateOptions } from "./types.ts";

/** The options with their defaults filled in. */
export type Settings = { readonly [K in keyof CollateOptions]-?: Exclude<CollateOptions[K], undefined> };

const least = -(2 ** 31);
const most = 2 ** 31 - 1;

const record = recordOf<CollateOptions>({ what: "options", field: "an option of collate", synonyms: collateSynonyms }, [
  "maxLength",
  "truncationMode",
  "maxPromptLength",
  "maxCompletionLength",
  "padToMultipleOf",
  "padTokenId",
  "layout",
]);

/** Throws    KindError, ParamError for what is no option, or none of this layout */
export function readOptions(options: CollateOptions): Settings {
  const given = record(options);
  const settings: Settings = {
    maxLength: readInteger(given, "maxLength", 1, Infinity),
    truncationMode: readName(given, "truncationMode", ["keep_start", "keep_end"]),
    maxPromptLength: readInteger(given, "maxPromptLength", 1, Infinity),
    maxCompletionLength: readInteger(given, "maxCompletionLength", 1, Infinity),
    padToMultipleOf: readInteger(given, "padToMultipleOf", 1, 1),
    padTokenId: readInteger(given, "padTokenId", least, 0),
    layout: readName(given, "layout", ["padded", "packed"]),
  };
  if (settings.layout === "packed" && settings.padToMultipleOf !== 1) throw unused("padToMultipleOf");
  if (settings.layout === "packed" && settings.padTokenId !== 0) throw unused("padTokenId");
  return settings;
}

const unused = (name: string): ParamError => unusedOption(name, 'not used by layout "packed", which has no padding');

function readInteger(options: CollateOptions, name: keyof CollateOptions, from: number, absent: number): number {
  const value: unknown = options[name];
  if (value === undefined) return absent;
  if (typeof value !== "number") throw wrongKind(name, "an integer", value);
  if (Number.isSafeInteger(value) && value >= from && (from > 0 || value <= most)) return value;
  const expected = from > 0 ? `an integer of at least ${from}` : `an integer in ${from}..${most}`;
  throw outOfRange(name, expected, value);
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
  if (typeof value !== "string") throw wrongKind(name, expected, value);
  throw outOfRange(name, expected, quoted(value));
}

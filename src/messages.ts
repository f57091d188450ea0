// What a value is: for checks, and in words for messages. Nothing here trusts what a value says of itself.

import { isList } from "./checks/lists.ts";
import { quoted } from "./checks/printable.ts";

/** What was given where a word was expected, for messages. */
export function shown(value: unknown): string {
  if (typeof value === "string") return quoted(value);
  return typeof value === "number" || typeof value === "boolean" ? String(value) : kindOf(value);
}

/** What a value is, in words, for messages. */
export function kindOf(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (ArrayBuffer.isView(value)) return `a ${arrayKind(value)}`;
  if (typeof value !== "object") return `a ${typeof value}`;
  return isList(value) ? "a plain array" : (builtIn(value) ?? "an object");
}

// The objects of the language that have names of their own, but not those of the caller.
const builtIns = new Set(
  ["Map", "Set", "WeakMap", "WeakSet", "Promise", "Date", "RegExp", "Error", "ArrayBuffer", "SharedArrayBuffer"].concat(
    ["Number", "String", "Boolean", "Symbol", "BigInt", "Generator", "AsyncGenerator"],
  ),
);

// Proxies and getters may throw when they are asked.
function builtIn(value: object): string | undefined {
  try {
    const name = Object.prototype.toString.call(value).slice("[object ".length, -1);
    return builtIns.has(name) ? `a ${name}` : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Whether a value can hold named fields: a plain object, an instance of a class; not a list, a Map, a promise.
 *
 * Throws    what a hostile value throws
 */
export function isRecord(value: unknown): value is object {
  if (typeof value !== "object" || value === null) return false;
  const prototype = Object.getPrototypeOf(value);
  if (prototype === Object.prototype || prototype === null) return true;
  return !Array.isArray(value) && !ArrayBuffer.isView(value) && builtIn(value) === undefined;
}

// The getters of the language, which no property of an array hides.
const { get: tagOf } = Object.getOwnPropertyDescriptor(
  Object.getPrototypeOf(Uint8Array.prototype),
  Symbol.toStringTag,
) as { get: () => string | undefined };

/** The name of a typed array's class, also when it comes from another realm. */
export const arrayKind = (value: unknown): string => tagOf.call(value) ?? (ArrayBuffer.isView(value) ? "DataView" : "");

/** What was thrown, in words. */
export const reasonIn = (error: unknown): string => (error instanceof Error ? error.message : String(error));

// JSON bodies: strict, and of the shape that requests have. What would cost far more memory than its bytes is refused before it is
// parsed.

import { KindError, ParamError } from "../errors.ts";
import { kindOf, shown } from "../messages.ts";
import type { FloatArray } from "../types.ts";
import { type Fields, isValue, type Kind } from "./fields.ts";
import { refuse } from "./problem.ts";

/** Lists and objects that a body may have; a request has a dozen. */
const MOST_NESTED = 1000;

/** Throws    a refusal: 400, 413 */
export function parseBody(bytes: Uint8Array, maxNumbers: number): Record<string, unknown> {
  refuseBombs(bytes, maxNumbers);
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (cause) {
    const why = cause instanceof SyntaxError ? "other text" : "bytes that are no UTF-8";
    throw refuse(400, `body: expected JSON, got ${bytes.length === 0 ? "nothing" : why}`, body);
  }
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw refuse(422, `body: expected an object, got ${kindOf(value)}`, body);
}

const body = { code: "wrong-kind", field: "body" } as const;

/** Counts brackets and commas outside of strings; whether they make sense is the parser's business. */
function refuseBombs(bytes: Uint8Array, maxNumbers: number): void {
  let nested = 0;
  let commas = 0;
  let isText = false;
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i];
    if (byte === 0x22) isText = !isText;
    else if (isText) {
      if (byte === 0x5c) i++;
    } else if (byte === 0x2c) commas++;
    else if (byte === 0x5b || byte === 0x7b) nested++;
  }
  if (nested > MOST_NESTED) {
    throw refuse(413, `body: expected at most ${MOST_NESTED} lists and objects, got ${nested}`, tooMuch);
  }
  if (commas >= maxNumbers) {
    throw refuse(413, `body: expected at most ${maxNumbers} numbers as JSON, got more; send safetensors`, tooMuch);
  }
}

const tooMuch = { code: "out-of-range", field: "body" } as const;

/**
 * The fields of a body with typed arrays for lists. What is not known stays as it is, for the call to refuse by its name.
 *
 * Throws    KindError, ParamError
 */
export function toArrays(given: object, fields: Fields, prefix = ""): Record<string, unknown> {
  const record: Record<string, unknown> = Object.create(null);
  for (const [name, value] of Object.entries(given)) {
    const field = Object.hasOwn(fields, name) ? fields[name] : undefined;
    if (field === undefined) record[name] = value;
    else if (isValue(field)) record[name] = toValue(value, field.kind, `${prefix}${name}`);
    else record[name] = toArrays(asObject(value, `${prefix}${name}`), field.fields, `${prefix}${name}.`);
  }
  return record;
}

function asObject(value: unknown, name: string): object {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value;
  throw new KindError(`${name}: expected an object, got ${kindOf(value)}`);
}

const isScalar = (kind: Kind): boolean => kind === "count" || kind === "index" || kind === "number";

function toValue(value: unknown, kind: Kind, name: string): unknown {
  if (isScalar(kind)) {
    if (typeof value === "number") return value;
    throw new KindError(`${name}: expected a number, got ${shown(value)}`);
  }
  if (!Array.isArray(value)) throw new KindError(`${name}: expected a list of numbers, got ${shown(value)}`);
  if (kind === "flags") return toFlags(value, name);
  if (kind === "numbers") return fill(new Float64Array(value.length), value, name, Number.isFinite, "a finite number");
  if (kind === "floats") return fill(new Float32Array(value.length), value, name, isFloat32, "a number of float32");
  const isMask = kind === "mask";
  const words = isMask ? "0 or 1" : "an integer of int32";
  return fill(new Int32Array(value.length), value, name, isMask ? isBit : isInt32, words);
}

function toFlags(list: readonly unknown[], name: string): Uint8Array {
  return Uint8Array.from(list, (flag, i) => {
    if (flag === true || flag === 1) return 1;
    if (flag === false || flag === 0) return 0;
    throw new ParamError("out-of-range", `${name}[${i}]: expected 0 or 1, got ${shown(flag)}`);
  });
}

const isFloat32 = (x: number): boolean => Number.isFinite(Math.fround(x));
const isInt32 = (x: number): boolean => x === (x | 0);
const isBit = (x: number): boolean => x === 0 || x === 1;

function fill<A extends Float32Array | Float64Array | Int32Array>(
  array: A,
  list: readonly unknown[],
  name: string,
  accepts: (x: number) => boolean,
  expected: string,
): A {
  for (let i = 0; i < list.length; i++) {
    const x = list[i];
    if (typeof x !== "number") {
      const hint = typeof x === "string" ? "; JSON has no NaN and no infinities: safetensors have" : "";
      throw new KindError(`${name}[${i}]: expected a number, got ${shown(x)}${hint}`);
    }
    if (!accepts(x)) throw new ParamError("out-of-range", `${name}[${i}]: expected ${expected}, got ${x}`);
    array[i] = x;
  }
  return array;
}

/** A result as JSON. What JSON has no numbers for is text, as on the command line: "NaN", "Infinity", "-Infinity". */
export const toJson = (result: object): string => JSON.stringify(plain(result));

const plain = (record: object): object =>
  Object.fromEntries(
    Object.entries(record).map(([name, value]: [string, unknown]) => {
      if (typeof value === "number") return [name, toPlain(value)];
      return [name, ArrayBuffer.isView(value) ? listOf(value as FloatArray) : plain(value as object)];
    }),
  );

const toPlain = (x: number): number | string => (Number.isFinite(x) ? x : String(x));

// Numbers one by one only where they have to be.
const listOf = (array: FloatArray): readonly unknown[] =>
  array.every(Number.isFinite) ? Array.from(array) : Array.from(array, toPlain);

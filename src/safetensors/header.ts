// The header of a safetensors file: JSON of one form, read strictly. The grammar is fixed, so there is no recursion, and a key that
// stands twice is seen.

import { printable } from "../checks/printable.ts";
import { KindError } from "../errors.ts";

/** What the header says of a tensor. */
export interface Entry {
  readonly dtype: string;
  readonly shape: readonly number[];
  /** From the end of the header. */
  readonly begin: number;
  readonly end: number;
}

export interface Header {
  readonly entries: ReadonlyMap<string, Entry>;
  readonly metadata: ReadonlyMap<string, string>;
}

interface Reader {
  readonly text: string;
  at: number;
}

const METADATA = "__metadata__";

/** Throws    KindError with the place */
export function readHeader(text: string): Header {
  const reader = { text, at: 0 };
  const entries = new Map<string, Entry>();
  let metadata: Map<string, string> | undefined;
  if (text[0] !== "{") fail(reader, '"{"');
  readFields(reader, (name) => {
    if (name !== METADATA) put(reader, entries, name, readEntry(reader));
    else if (metadata) fail(reader, `${METADATA} once`);
    else metadata = readStrings(reader);
  });
  skipSpace(reader);
  if (reader.at < text.length) fail(reader, "nothing but spaces after the header");
  return { entries, metadata: metadata ?? new Map() };
}

function readStrings(reader: Reader): Map<string, string> {
  const strings = new Map<string, string>();
  readFields(reader, (name) => put(reader, strings, name, readString(reader)));
  return strings;
}

function readEntry(reader: Reader): Entry {
  const fields = new Map<string, string | number[]>();
  readFields(reader, (name) => {
    if (name === "dtype") put(reader, fields, name, readString(reader));
    else if (name === "shape" || name === "data_offsets") put(reader, fields, name, readIntegers(reader));
    else fail(reader, `dtype, shape or data_offsets in place of ${JSON.stringify(printable(name))}`);
  });
  const [dtype, shape, offsets] = ["dtype", "shape", "data_offsets"].map((name) => fields.get(name));
  if (dtype === undefined || shape === undefined || offsets === undefined)
    fail(reader, "dtype, shape and data_offsets");
  if (offsets.length !== 2) fail(reader, "two numbers in data_offsets");
  const [begin, end] = offsets as [number, number];
  return { dtype: dtype as string, shape: shape as number[], begin, end };
}

function put<T>(reader: Reader, map: Map<string, T>, name: string, value: T): void {
  if (map.has(name)) fail(reader, `${JSON.stringify(printable(name))} once`);
  map.set(name, value);
}

/** Calls `readValue` where the value of each field begins. */
function readFields(reader: Reader, readValue: (name: string) => void): void {
  expect(reader, "{");
  if (takes(reader, "}")) return;
  do {
    const name = readString(reader);
    expect(reader, ":");
    readValue(name);
  } while (takes(reader, ","));
  expect(reader, "}");
}

function readIntegers(reader: Reader): number[] {
  const numbers: number[] = [];
  expect(reader, "[");
  if (takes(reader, "]")) return numbers;
  do numbers.push(readInteger(reader));
  while (takes(reader, ","));
  expect(reader, "]");
  return numbers;
}

function readInteger(reader: Reader): number {
  skipSpace(reader);
  const { text, at } = reader;
  while (isDigit(text.charCodeAt(reader.at))) reader.at++;
  const digits = text.slice(at, Math.min(reader.at, at + 20));
  const value = Number(digits);
  if (digits === "" || (digits.length > 1 && digits[0] === "0") || !Number.isSafeInteger(value)) {
    fail({ text, at }, "an integer in 0..2^53-1");
  }
  return value;
}

const isDigit = (unit: number): boolean => unit >= 0x30 && unit <= 0x39;

function readString(reader: Reader): string {
  skipSpace(reader);
  const { text, at } = reader;
  if (text[at] !== '"') fail(reader, "a string");
  let end = at + 1;
  while (end < text.length && text[end] !== '"') end += text[end] === "\\" ? 2 : 1;
  try {
    const value: unknown = JSON.parse(text.slice(at, end + 1));
    reader.at = end + 1;
    // Halves of surrogate pairs are no text that UTF-8 could write.
    if (typeof value === "string" && !/\p{Cs}/u.test(value)) return value;
  } catch {}
  return fail({ text, at }, "a string");
}

function skipSpace(reader: Reader): void {
  while (" \n\r\t".includes(reader.text[reader.at] ?? "-")) reader.at++;
}

function takes(reader: Reader, mark: string): boolean {
  skipSpace(reader);
  if (reader.text[reader.at] !== mark) return false;
  reader.at++;
  return true;
}

function expect(reader: Reader, mark: string): void {
  if (!takes(reader, mark)) fail(reader, JSON.stringify(mark));
}

// What stands there is not quoted: a header may be of any length.
function fail({ text, at }: Reader, expected: string): never {
  const got = at < text.length ? `${JSON.stringify(printable(text.slice(at, at + 1)))}` : "its end";
  throw new KindError(`safetensors: header: expected ${expected}, got ${got} (character ${at})`);
}

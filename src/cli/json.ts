// JSON as files have it: strict, but for the bare NaN, Infinity and -Infinity that Python's json writes.

/** A value, or what is wrong with the text and where, in UTF-16 units from 0. */
export type Parsed = { readonly value: unknown } | { readonly problem: string; readonly at: number };

/**
 * Parses a text as JSON, in which NaN, Infinity and -Infinity may stand wherever a value may.
 *
 * Nesting may be as deep as memory allows. Of two equal keys the last counts; `__proto__` is a key like any other.
 * No problem quotes the text: it may hold a prompt.
 */
export function parseJson(text: string): Parsed {
  try {
    return { value: JSON.parse(text) as unknown };
  } catch {
    // The engine's own messages have no stable form, and it knows no NaN.
    return parseTolerant(text);
  }
}

/** The same without the engine's parser. `keys` is told the keys of the outermost object, and where they stand. */
export function parseTolerant(text: string, keys?: Map<string, number>): Parsed {
  const reader: Reader = { text, at: 0 };
  try {
    return { value: readDocument(reader, keys) };
  } catch (error) {
    if (error !== reader) throw error;
    return { problem: reader.problem ?? "not a value", at: reader.at };
  }
}

/** Where an offset lies, both counted from 1. */
export function lineAndColumn(text: string, at: number): { line: number; column: number } {
  let line = 1;
  let start = 0;
  for (let end = text.indexOf("\n"); end >= 0 && end < at; end = text.indexOf("\n", start)) {
    line++;
    start = end + 1;
  }
  return { line, column: at - start + 1 };
}

interface Reader {
  readonly text: string;
  at: number;
  problem?: string;
}

type Open = { readonly list: unknown[] } | { readonly object: Record<string, unknown>; key: string };

// The reader itself is thrown: it knows the place and the problem.
function fail(reader: Reader, problem: string, at = reader.at): never {
  reader.at = at;
  reader.problem = at < reader.text.length ? problem : "the text ends too early";
  throw reader;
}

// A loop with a stack of its own: the engine's would overflow in a text of brackets.
function readDocument(reader: Reader, keys: Map<string, number> | undefined): unknown {
  const { text } = reader;
  const open: Open[] = [];
  const readKey = (): string => {
    skipSpace(reader);
    const start = reader.at;
    if (text[start] !== '"') fail(reader, "expected a key in double quotes");
    const key = readString(reader);
    if (open.length === 0) keys?.set(key, start);
    skipSpace(reader);
    if (text[reader.at] !== ":") fail(reader, 'expected ":"');
    reader.at++;
    return key;
  };
  for (;;) {
    skipSpace(reader);
    let value: unknown;
    const first = text[reader.at];
    if (first === "{" || first === "[") {
      reader.at++;
      skipSpace(reader);
      const isEmpty = text[reader.at] === (first === "{" ? "}" : "]");
      if (isEmpty) reader.at++;
      else {
        open.push(first === "{" ? { object: {}, key: readKey() } : { list: [] });
        continue;
      }
      value = first === "{" ? {} : [];
    } else value = readScalar(reader);

    // A value is complete, and with it perhaps what is around it.
    for (;;) {
      skipSpace(reader);
      const container = open.pop();
      if (!container) {
        if (reader.at < text.length) fail(reader, "expected the end after the value");
        return value;
      }
      if ("list" in container) container.list.push(value);
      else put(container.object, container.key, value);
      const next = text[reader.at];
      const close = "list" in container ? "]" : "}";
      if (next !== "," && next !== close) fail(reader, `expected "," or "${close}"`);
      reader.at++;
      if (next === ",") {
        if ("object" in container) container.key = readKey();
        open.push(container);
        break;
      }
      value = "list" in container ? container.list : container.object;
    }
  }
}

/** Assignment to `__proto__` would change the object's prototype. */
function put(object: Record<string, unknown>, key: string, value: unknown): void {
  if (key !== "__proto__") object[key] = value;
  else Object.defineProperty(object, key, { value, enumerable: true, configurable: true, writable: true });
}

function skipSpace(reader: Reader): void {
  const { text } = reader;
  for (;;) {
    const c = text.charCodeAt(reader.at);
    if (c !== 0x20 && c !== 0x0a && c !== 0x0d && c !== 0x09) return;
    reader.at++;
  }
}

const words: readonly (readonly [word: string, value: unknown])[] = [
  ["null", null],
  ["true", true],
  ["false", false],
  ["NaN", NaN],
  ["Infinity", Infinity],
  ["-Infinity", -Infinity],
];

function readScalar(reader: Reader): unknown {
  const { text, at } = reader;
  if (text[at] === '"') return readString(reader);
  for (const [word, value] of words) {
    if (!text.startsWith(word, at)) continue;
    reader.at += word.length;
    return value;
  }
  return readNumber(reader);
}

const isDigit = (c: string | undefined): boolean => c !== undefined && c >= "0" && c <= "9";

function readNumber(reader: Reader): number {
  const { text, at: start } = reader;
  const digits = (): void => {
    if (!isDigit(text[reader.at])) fail(reader, reader.at === start ? "expected a value" : "expected a digit");
    while (isDigit(text[reader.at])) reader.at++;
  };
  if (text[reader.at] === "-") reader.at++;
  if (text[reader.at] === "0") reader.at++;
  else digits();
  if (text[reader.at] === ".") {
    reader.at++;
    digits();
  }
  if (text[reader.at] === "e" || text[reader.at] === "E") {
    reader.at++;
    if (text[reader.at] === "+" || text[reader.at] === "-") reader.at++;
    digits();
  }
  return Number(text.slice(start, reader.at));
}

const escapes: Readonly<Record<string, string>> = {
  '"': '"',
  "\\": "\\",
  "/": "/",
  b: "\b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
};

function readString(reader: Reader): string {
  const { text } = reader;
  let result = "";
  let from = reader.at + 1;
  for (let at = from; at < text.length; at++) {
    const c = text.charCodeAt(at);
    if (c === 0x22) {
      reader.at = at + 1;
      return result + text.slice(from, at);
    }
    if (c < 0x20) fail(reader, "control character in a string", at);
    if (c !== 0x5c) continue;
    reader.at = at;
    result += text.slice(from, at) + readEscape(reader);
    from = reader.at;
    at = from - 1;
  }
  return fail(reader, "", text.length);
}

function readEscape(reader: Reader): string {
  const { text, at } = reader;
  const letter = text[at + 1] ?? "";
  if (letter === "u") {
    const hex = text.slice(at + 2, at + 6);
    if (hex.length < 4 || [...hex].some((digit) => !"0123456789abcdefABCDEF".includes(digit))) {
      fail(reader, "expected four hexadecimal digits after \\u");
    }
    reader.at += 6;
    return String.fromCharCode(Number.parseInt(hex, 16));
  }
  const meant = Object.hasOwn(escapes, letter) ? escapes[letter] : undefined;
  if (meant === undefined) fail(reader, "unknown escape in a string");
  reader.at += 2;
  return meant;
}

// The command line's reader of JSON: what it accepts is JSON with NaN and infinities, and it never rewrites a text.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { lineAndColumn, parseJson, parseTolerant } from "../src/cli/json.ts";

const parsed = (text: string): unknown => {
  const result = parseTolerant(text);
  if ("problem" in result) throw new Error(`${result.problem} at ${result.at}`);
  return result.value;
};

/** Python's json.dumps: like JSON.stringify, but for numbers that JSON has no sign for. */
function dumps(value: unknown): string {
  if (typeof value === "number") return Object.is(value, -0) ? "-0" : String(value);
  if (Array.isArray(value)) return `[${value.map(dumps).join(", ")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  return `{${Object.entries(value)
    .map(([key, part]) => `${JSON.stringify(key)}: ${dumps(part)}`)
    .join(", ")}}`;
}

const misleading = ["value: NaN", "a, -Infinity", '{"x": NaN}', "\\: NaN", "__proto__", ": Infinity}"];
const text = fc.oneof(fc.string({ unit: "binary" }), fc.constantFrom(...misleading));
const { tree } = fc.letrec<{ tree: unknown }>((tie) => ({
  tree: fc.oneof(
    { maxDepth: 5 },
    fc.double(),
    fc.constantFrom(null, true, false, NaN, Infinity, -Infinity),
    text,
    fc.array(tie("tree"), { maxLength: 4 }),
    fc.dictionary(text, tie("tree"), { maxKeys: 4 }).map((object) => Object.fromEntries(Object.entries(object))),
  ),
}));

describe("JSON with NaN and infinities", () => {
  it("reads back whatever Python writes, NaN beside text that looks like it included", () => {
    fc.assert(
      fc.property(tree, (value) => {
        expect(parseJson(dumps(value))).toEqual({ value });
      }),
      { numRuns: 500 },
    );
  });

  it("accepts what JSON.parse accepts, and nothing else but bare non-finite numbers", () => {
    const marks = [
      ...'{}[],:"\\\n\t -+.eE0123456789',
      "null",
      "true",
      "false",
      "\\u00e9",
      "\\ud83d",
      '"a"',
      "\u00a0",
      "'",
    ];
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...marks), { maxLength: 14 }), (parts) => {
        const json = parts.join("");
        let expected: unknown;
        try {
          expected = { value: JSON.parse(json) as unknown };
        } catch {
          expected = { problem: expect.any(String) as string, at: expect.any(Number) as number };
        }
        expect(parseTolerant(json)).toEqual(expected);
      }),
      { numRuns: 20_000 },
    );
  });

  it.each([
    ['{"a": 1,}', "expected a key in double quotes", 8],
    ["[1, 2,]", "expected a value", 6],
    ["{'a': 1}", "expected a key in double quotes", 1],
    ['{"a" 1}', 'expected ":"', 5],
    ['{"a": 1 "b": 2}', 'expected "," or "}"', 8],
    ['{"a": [1 2]}', 'expected "," or "]"', 9],
    ['{"a": nan}', "expected a value", 6],
    ['{"a": +1}', "expected a value", 6],
    ['{"a": NaNs}', 'expected "," or "}"', 9],
    ['{"a": -Inf}', "expected a digit", 7],
    ['{"a": 01}', 'expected "," or "}"', 7],
    ['{"a": 1.}', "expected a digit", 8],
    ['{"a": 1}x', "expected the end after the value", 8],
    ['{"a": "b\u0001"}', "control character in a string", 8],
    ['{"a": "\\x"}', "unknown escape in a string", 7],
    ['{"a": "\\u12g4"}', "expected four hexadecimal digits after \\u", 7],
    ['{"a": "secret', "the text ends too early", 13],
    ['{"a": [', "the text ends too early", 7],
    ["", "the text ends too early", 0],
  ])("%j: %s", (json, problem, at) => {
    expect(parseJson(json)).toEqual({ problem, at });
  });

  it("reads text that is nested deeper than the engine's stack", () => {
    const depth = 100_000;
    const deep = `${"[".repeat(depth)}NaN${"]".repeat(depth)}`;
    let value = parsed(deep);
    let levels = 0;
    for (; Array.isArray(value); levels++) value = value[0];
    expect([levels, value]).toEqual([depth, NaN]);
    expect(parseJson("[".repeat(depth))).toEqual({ problem: "the text ends too early", at: depth });
    expect(parseJson(`${'{"a":'.repeat(depth)}1`)).toHaveProperty("problem");
  });

  it("takes the last of equal keys, and __proto__ as a key like any other", () => {
    expect(parsed('{"a": 1, "a": NaN}')).toEqual({ a: NaN });
    const value = parsed('{"__proto__": {"policy_chosen_logps": NaN}, "b": 1}') as Record<string, unknown>;
    expect(Object.keys(value)).toEqual(["__proto__", "b"]);
    expect(value["policy_chosen_logps"]).toBeUndefined();
    expect(Object.getPrototypeOf(value)).toBe(Object.prototype);
  });

  it("tells where the outermost keys stand", () => {
    const json = '{\n  "beta": {"beta": 1},\n  "loss_type": "ipo"\n}';
    const keys = new Map<string, number>();
    parseTolerant(json, keys);
    expect([...keys.keys()]).toEqual(["beta", "loss_type"]);
    expect(lineAndColumn(json, keys.get("loss_type") ?? 0)).toEqual({ line: 3, column: 3 });
    expect(lineAndColumn(json, 0)).toEqual({ line: 1, column: 1 });
  });
});

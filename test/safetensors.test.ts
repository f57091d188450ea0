// Safetensors: what is written is read back, by Hugging Face's own reader too where Python has it; what lies is refused.

import { describe, expect, test } from "vitest";
import { DpoError } from "../src/errors.ts";
import { type Dtype, dtypes } from "../src/safetensors/dtypes.ts";
import { readSafetensors } from "../src/safetensors/read.ts";
import { type TensorToWrite, writeSafetensors } from "../src/safetensors/write.ts";
import { fileOf, isSound } from "./support/safetensors.ts";

const bits = { F16: Uint16Array, BF16: Uint16Array, BOOL: Uint8Array, F8_E4M3: Uint8Array, F8_E5M2: Uint8Array };
const numbers = {
  ...{ U8: Uint8Array, I8: Int8Array, U16: Uint16Array, I16: Int16Array, U32: Uint32Array, I32: Int32Array },
  ...{ F32: Float32Array, F64: Float64Array },
};

const all: Record<string, TensorToWrite> = {
  ...Object.fromEntries(
    Object.entries(bits).map(([dtype, A]) => [dtype, { dtype: dtype as Dtype, shape: [3], data: A.of(1, 0, 1) }]),
  ),
  ...Object.fromEntries(Object.entries(numbers).map(([name, A]) => [name, { shape: [1, 3], data: A.of(1, 2, 3) }])),
  U64: { shape: [1], data: BigUint64Array.of(2n ** 64n - 1n) },
  I64: { shape: [1], data: BigInt64Array.of(-(2n ** 63n)) },
};

describe("what is written is read", () => {
  test("every element type", () => {
    expect(Object.keys(all).sort()).toEqual([...dtypes].sort());
    const { tensors } = readSafetensors(writeSafetensors(all));
    for (const dtype of dtypes) {
      expect(tensors[dtype]).toStrictEqual({ dtype, shape: all[dtype]?.shape, data: all[dtype]?.data });
    }
  });

  test("scalars, empty tensors, no tensor, names of any kind", () => {
    const names = ["", "__proto__", "constructor", "a b", 'é\n\u2028"\\', "10", "9"];
    const given = Object.fromEntries(names.map((name) => [name, { shape: [], data: Float32Array.of(name.length) }]));
    const file = writeSafetensors(
      { ...given, none: { shape: [2, 0], data: new Float32Array(0) } },
      { ["__proto__"]: "x", "": "" },
    );
    const { tensors, metadata } = readSafetensors(file);
    expect(Object.keys(tensors).sort()).toEqual([...names, "none"].sort());
    for (const name of names) expect(tensors[name]?.data).toStrictEqual(Float32Array.of(name.length));
    expect(Object.entries(metadata)).toEqual([
      ["__proto__", "x"],
      ["", ""],
    ]);
    expect(Object.keys(readSafetensors(writeSafetensors({})).tensors)).toEqual([]);
  });

  test("data lie on multiples of their size, so that nothing is copied, and a file at an odd byte is read too", () => {
    const file = writeSafetensors({
      a: { shape: [1], data: Uint8Array.of(7) },
      b: { shape: [1], data: Float64Array.of(0.5) },
    });
    const { tensors } = readSafetensors(file);
    expect(tensors["b"]?.data.buffer).toBe(file.buffer);
    const odd = new Uint8Array(file.length + 1).subarray(1);
    odd.set(file);
    expect(readSafetensors(odd).tensors["b"]?.data).toStrictEqual(Float64Array.of(0.5));
  });

  test("an ArrayBuffer, and shared memory", () => {
    const file = writeSafetensors(all);
    const shared = new Uint8Array(new SharedArrayBuffer(file.length));
    shared.set(file);
    for (const one of [file.buffer, shared])
      expect(readSafetensors(one).tensors["I32"]?.data).toEqual(Int32Array.of(1, 2, 3));
  });
});

const one = (dtype: string, shape: string, offsets: string): string =>
  `{"dtype":"${dtype}","shape":${shape},"data_offsets":${offsets}}`;
const f32 = one("F32", "[1]", "[0,4]");

describe("what lies is refused", () => {
  test.each<[what: string, file: Uint8Array, message: RegExp]>([
    ["nothing", new Uint8Array(0), /at least 8 bytes, got 0/],
    ["half a length", new Uint8Array(7), /at least 8 bytes, got 7/],
    ["a header longer than the file", fileOf("{}", 0, 3n), /header of at most 2 bytes, got 3/],
    ["a header of 2^64-1 bytes", fileOf("{}", 0, 2n ** 64n - 1n), /header of at most 2 bytes/],
    ["a header of no bytes", fileOf("", 0), /expected "{", got its end/],
    ["a header that is a list", fileOf("[]", 0), /expected "{", got "\["/],
    ["a header that begins with a space", fileOf(" {}", 0), /expected "{", got " "/],
    ["a byte order mark", fileOf("\ufeff{}", 0), /expected "{"/],
    ["a header that is cut off", fileOf(`{"a":${f32}`, 4), /expected "}", got its end/],
    ["something after the header", fileOf("{}x", 0), /nothing but spaces after the header/],
    ["bytes that are no UTF-8", fileOf(Uint8Array.of(0x7b, 0xff, 0x7d), 0), /UTF-8/],
    ["half a surrogate pair", fileOf(`{"\\ud800":${f32}}`, 4), /expected a string/],
    ["a control character in a name", fileOf(`{"a\u0001":${f32}}`, 4), /expected a string/],
    ["a name twice", fileOf(`{"a":${f32},"a":${f32}}`, 4), /"a" once/],
    ["a name twice, once escaped", fileOf(`{"a":${f32},"\\u0061":${f32}}`, 4), /"a" once/],
    [
      "a field twice",
      fileOf('{"a":{"dtype":"F32","dtype":"F32","shape":[1],"data_offsets":[0,4]}}', 4),
      /"dtype" once/,
    ],
    ["metadata twice", fileOf('{"__metadata__":{},"__metadata__":{}}', 0), /__metadata__ once/],
    ["metadata that is no text", fileOf('{"__metadata__":{"a":1}}', 0), /expected a string, got "1"/],
    ["metadata that is nested", fileOf('{"__metadata__":{"a":{}}}', 0), /expected a string, got "{"/],
    ["another field", fileOf('{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4],"x":1}}', 4), /in place of "x"/],
    ["a missing field", fileOf('{"a":{"dtype":"F32","shape":[1]}}', 4), /dtype, shape and data_offsets/],
    ["an element type of another kind", fileOf(`{"a":${one("f32", "[1]", "[0,4]")}}`, 4), /dtype: expected U8/],
    ["an element type of every object", fileOf(`{"a":${one("constructor", "[1]", "[0,4]")}}`, 4), /dtype: expected U8/],
    ["a negative size", fileOf(`{"a":${one("F32", "[-1]", "[0,4]")}}`, 4), /an integer in 0/],
    ["a fraction", fileOf(`{"a":${one("F32", "[1.0]", "[0,4]")}}`, 4), /expected "\]", got "\."/],
    ["a number with an exponent", fileOf(`{"a":${one("F32", "[1e0]", "[0,4]")}}`, 4), /expected "\]", got "e"/],
    ["a number that begins with 0", fileOf(`{"a":${one("F32", "[01]", "[0,4]")}}`, 4), /an integer in 0/],
    ["a number beyond 2^53", fileOf(`{"a":${one("F32", "[9007199254740993]", "[0,4]")}}`, 4), /an integer in 0/],
    [
      "a number of a million digits",
      fileOf(`{"a":${one("F32", `[${"1".repeat(1e6)}]`, "[0,4]")}}`, 4),
      /an integer in 0/,
    ],
    [
      "a shape whose product overflows to 0",
      fileOf(`{"a":${one("F32", "[4294967296,4294967296,0]", "[0,0]")}}`, 0),
      /less than 2\^53/,
    ],
    ["more elements than data", fileOf(`{"a":${one("F32", "[2]", "[0,4]")}}`, 4), /expected 8 bytes of data, got 4/],
    ["an end before its begin", fileOf(`{"a":${one("F32", "[1]", "[4,0]")}}`, 4), /expected 4 bytes of data, got -4/],
    ["three offsets", fileOf(`{"a":${one("F32", "[1]", "[0,4,8]")}}`, 4), /two numbers in data_offsets/],
    ["data beyond the file", fileOf(`{"a":${f32}}`, 3), /expected 4 bytes of data, got 3/],
    ["data that no tensor has", fileOf(`{"a":${f32}}`, 5), /expected 4 bytes of data, got 5/],
    ["data without tensors", fileOf("{}", 1), /expected 0 bytes of data, got 1/],
    [
      "tensors that overlap",
      fileOf(`{"a":${f32},"b":${one("F32", "[1]", "[2,6]")}}`, 6),
      /"b": expected data from byte 4 on, got 2/,
    ],
    ["tensors of the same data", fileOf(`{"a":${f32},"b":${f32}}`, 4), /expected data from byte 4 on, got 0/],
    ["a gap between tensors", fileOf(`{"a":${f32},"b":${one("F32", "[1]", "[8,12]")}}`, 12), /from byte 4 on, got 8/],
    ["a gap before the first", fileOf(`{"b":${one("F32", "[1]", "[4,8]")}}`, 8), /from byte 0 on, got 4/],
    ["nesting without end", fileOf(`{"a":${"[".repeat(1e6)}`, 0), /expected "{", got "\["/],
    ["nesting in a shape", fileOf(`{"a":${one("F32", "[".repeat(1e6), "[0,4]")}}`, 4), /an integer in 0/],
  ])("%s", (_, file, message) => {
    expect(() => readSafetensors(file)).toThrow(message);
    try {
      readSafetensors(file);
    } catch (error) {
      expect(error).toBeInstanceOf(DpoError);
      expect((error as Error).message.length).toBeLessThan(300);
    }
    if (!/once/.test(message.source)) expect(isSound(file)).toBe(false);
  });

  test("what is no file", () => {
    for (const value of [undefined, null, "{}", 8, {}, [1], new Map()]) {
      expect(() => readSafetensors(value as never)).toThrow(/expected the bytes of a file, got/);
    }
  });

  test("what cannot be written", () => {
    const data = Float32Array.of(1);
    const writes =
      (tensor: object, name = "a") =>
      () =>
        writeSafetensors({ [name]: tensor as TensorToWrite });
    expect(writes({ shape: [2], data })).toThrow(/"a": expected 2 elements of data, got 1/);
    expect(writes({ shape: [-1], data })).toThrow(/shape: expected a list of sizes/);
    expect(writes({ shape: 1, data })).toThrow(/shape: expected a list of sizes, got a number/);
    expect(writes({ shape: [1], data: [1] })).toThrow(/data: expected a typed array, got a plain array/);
    expect(writes({ shape: [1], data, dtype: "BF16" })).toThrow(
      /expected an array that holds "BF16", got a Float32Array/,
    );
    expect(writes({ shape: [1], data, dtype: "toString" })).toThrow(/"toString"/);
    expect(writes({ shape: [1], data }, "__metadata__")).toThrow(/no tensor of the name __metadata__/);
    expect(writes({ shape: [1], data }, "\ud800")).toThrow(/well-formed/);
    expect(() => writeSafetensors({}, { a: 1 as never })).toThrow(/metadata.a: expected well-formed text, got 1/);
    expect(() => writeSafetensors(null as never)).toThrow(/tensors: expected an object, got null/);
  });
});

/** xorshift32 */
function createRandom(seed: number): (below: number) => number {
  let x = seed;
  return (below) => {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    return (x >>> 0) % below;
  };
}

const pieces = [
  '"a"',
  '"__metadata__"',
  "{",
  "}",
  "[",
  "]",
  ",",
  ":",
  "0",
  "4",
  "-",
  "1e3",
  "[0,4]",
  '"F32"',
  '"I64"',
  '"x',
  "\\u0000",
  " ",
  "null",
];

test("100,000 headers, of which some are sound: a file is read, and as it says, or refused with an error of ours", () => {
  const random = createRandom(20261129);
  const sound = fileOf(
    `{"__metadata__":{"k":"v"},"a":${f32},"b":${one("I64", "[1,2]", "[4,20]")},"c":${one("BOOL", "[0]", "[4,4]")}}`,
    20,
  );
  const counts = { read: 0, refused: 0 };
  for (let i = 0; i < 100_000; i++) {
    let file: Uint8Array = sound.slice();
    const text = (): string => String.fromCharCode(...file.subarray(8));
    for (let changes = 1 + random(3); changes > 0; changes--) {
      const at = 8 + random(file.length - 8);
      const kind = random(4);
      if (kind === 0) file[at] = random(256);
      else if (kind === 1) file[random(8)] = random(2) ? random(256) : (file[0] as number) + random(3) - 1;
      else {
        const [from, length, piece] = [at - 8, random(6), pieces[random(pieces.length)] as string];
        const changed = text().slice(0, from) + piece + text().slice(from + length);
        file = fileOf(
          Uint8Array.from(changed, (c) => c.charCodeAt(0)),
          0,
          BigInt(Math.max(0, changed.length - 20)),
        );
      }
      if (file.length <= 8) break;
    }
    let read: ReturnType<typeof readSafetensors> | undefined;
    try {
      read = readSafetensors(file);
    } catch (error) {
      if (!(error instanceof DpoError)) throw error;
    }
    counts[read ? "read" : "refused"]++;
    if (!read) {
      // A name that stands twice is what the second opinion cannot see.
      if (isSound(file)) expect(() => readSafetensors(file)).toThrow(/once/);
      continue;
    }
    if (!isSound(file)) expect.fail(`read: ${text()}`);
    for (const { shape, data } of Object.values(read.tensors)) {
      if (shape.reduce((product, n) => product * n, 1) !== data.length) expect.fail(`another length: ${text()}`);
    }
  }
  expect(counts.read).toBeGreaterThan(500);
  expect(counts.refused).toBeGreaterThan(50_000);
});

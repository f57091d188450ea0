// `allocate` and `free`: arrays in the backend's memory.

import { describe, expect, it } from "vitest";
import { BackendError, createWasm, DpoError, KindError, ParamError } from "../src/index.ts";
import type { ElementTypes } from "../src/types.ts";
import { onEachBackend, onEachLocalWasm, RESERVE } from "./support/backends.ts";
import { missesBits } from "./support/compare.ts";
import { randomPairs } from "./support/pairs.ts";

const types: [keyof ElementTypes, string, number][] = [
  ["f32", "Float32Array", 4],
  ["f16", "Uint16Array", 2],
  ["bf16", "Uint16Array", 2],
  ["i32", "Int32Array", 4],
  ["u8", "Uint8Array", 1],
];

onEachBackend((backend) => {
  it.each(types)("allocate(%j, n) is a zeroed %s", (type, kind, size) => {
    for (const n of [0, 1, 17, 1000]) {
      const array = backend.allocate(type, n);
      expect(Object.prototype.toString.call(array)).toBe(`[object ${kind}]`);
      expect([array.length, array.BYTES_PER_ELEMENT]).toEqual([n, size]);
      expect(array.every((value) => value === 0)).toBe(true);
      array.fill(1);
      backend.free(array);
    }
    // Zeroed also where an array was before.
    const again = backend.allocate(type, 1000);
    expect(again.every((value) => value === 0)).toBe(true);
    backend.free(again);
  });

  it.each([
    ["an unknown type", "f64", 3, ParamError, /^type: expected one of f32, f16, bf16, i32, u8, got "f64"$/],
    ["a type that every object has", "toString", 3, ParamError, /^type: expected one of .*, got "toString"$/],
    ["a negative count", "f32", -1, ParamError, /^n: expected a count.*, got -1$/],
    ["half an element", "f32", 1.5, ParamError, /^n: expected a count.*, got 1.5$/],
    ["no number", "u8", Number.NaN, ParamError, /^n: expected a count.*, got NaN$/],
    ["a count in words", "f32", "3", KindError, /^n: expected a number, got a string$/],
  ])("%s is refused", (_what, type, n, error, message) => {
    const act = () => backend.allocate(type as "f32", n as number);
    expect(act).toThrow(error);
    expect(act).toThrow(message);
  });

  it.each([2 ** 40, 2 ** 53 - 1])("%d elements are more than there is memory for", (n) => {
    expect(() => backend.allocate("f32", n)).toThrow(expect.objectContaining({ code: "out-of-memory" }));
  });

  describe("free refuses", () => {
    const held = () => backend.allocate("f32", 8);
    it.each([
      ["an array that is freed already", () => freed()],
      ["one at the address of an array that was freed", () => [freed(), held()][0]],
      ["an array of the caller's own", () => new Float32Array(8)],
      ["a view into an array", () => held().subarray(1)],
      ["a view of its beginning", () => held().subarray(0, 4)],
      ["a view of all of it", () => held().subarray(0)],
      ["another array of the same memory", () => new Uint8Array(held().buffer, held().byteOffset)],
      ["a proxy", () => new Proxy(held(), {})],
      ["null", () => null],
      ["undefined", () => undefined],
      ["a number", () => 64],
      ["a plain array", () => [1, 2]],
      ["a buffer", () => held().buffer],
    ])("%s", (_what, make) => {
      const value = make();
      const act = () => backend.free(value as Float32Array);
      expect(act).toThrow(KindError);
      expect(act).toThrow(DpoError);
      expect(act).toThrow(/^free: expected an array that `allocate` gave and that is still held$/);
    });

    function freed(): Float32Array {
      const array = held();
      backend.free(array);
      return array;
    }
  });

  it("an array says nothing of itself that free would believe", () => {
    const array = backend.allocate("f32", 8);
    Object.defineProperty(array, "byteOffset", { value: 0 });
    const other = backend.allocate("f32", 8);
    backend.free(array);
    const again = backend.allocate("f32", 8);
    again.fill(1);
    expect(other.every((value) => value === 0)).toBe(true);
    backend.free(again);
    backend.free(other);
  });

  it("no two arrays share memory after any refused free", () => {
    const first = backend.allocate("f32", 8);
    backend.free(first);
    expect(() => backend.free(first)).toThrow(KindError);
    const arrays = [1, 2, 3].map((value) => backend.allocate("f32", 8).fill(value));
    expect(arrays.map((array) => Array.from(array))).toEqual([1, 2, 3].map((value) => Array(8).fill(value)));
    for (const array of arrays) backend.free(array);
  });
});

onEachLocalWasm((backend) => {
  it("arrays start on a cache line of their own and share one buffer", () => {
    const arrays = types.flatMap(([type]) => [backend.allocate(type, 3), backend.allocate(type, 33)]);
    const ranges = arrays.map(({ byteOffset, byteLength }) => [byteOffset, byteOffset + byteLength] as const);
    for (const [start] of ranges) expect(start % 64).toBe(0);
    ranges.sort(([a], [b]) => a - b);
    for (let i = 1; i < ranges.length; i++) expect(ranges[i]?.[0]).toBeGreaterThanOrEqual(ranges[i - 1]?.[1] as number);
    expect(new Set(arrays.map(({ buffer }) => buffer)).size).toBe(1);
    for (const array of arrays) backend.free(array);
  });

  it("empty arrays are arrays too: each of its own, freed once", () => {
    const [first, second] = [backend.allocate("f32", 0), backend.allocate("f32", 0)];
    expect(first.byteOffset).not.toBe(second.byteOffset);
    backend.free(first);
    expect(() => backend.free(first)).toThrow(KindError);
    backend.free(second);
  });

  describe("exhaustion", () => {
    it("is a BackendError, and the reserve is there in full", () => {
      const all = backend.allocate("u8", RESERVE);
      const act = () => backend.allocate("u8", RESERVE);
      expect(act).toThrow(BackendError);
      expect(act).toThrow(expect.objectContaining({ code: "out-of-memory" }));
      expect(act).toThrow(/^allocate: expected \d+ contiguous bytes, got \d+ left; create the backend with a larger /);
      backend.free(all);
      backend.free(backend.allocate("u8", RESERVE));
    });

    it("names the sizes that are in the way", () => {
      expect(() => backend.allocate("f32", 2 ** 40)).toThrow(/expected 4398046511104 contiguous bytes/);
    });
  });

  it("freed neighbours become one block, in whatever order they are freed", () => {
    const quarter = RESERVE / 4;
    for (const order of [
      [0, 1, 2, 3],
      [3, 2, 1, 0],
      [1, 3, 0, 2],
      [0, 2, 1, 3],
    ]) {
      const blocks = order.map(() => backend.allocate("u8", quarter));
      for (const i of order) backend.free(blocks[i] as Uint8Array);
      backend.free(backend.allocate("u8", RESERVE));
    }
  });

  it("a freed block is used again before new memory", () => {
    const first = backend.allocate("f32", 100);
    const second = backend.allocate("f32", 100);
    backend.free(first);
    const third = backend.allocate("f32", 90);
    expect(third.byteOffset).toBe(first.byteOffset);
    backend.free(second);
    backend.free(third);
  });

  it("arrays are never detached, whatever is called: AOT sorts in memory of its own", () => {
    const array = backend.allocate("f32", 8).fill(3);
    const { buffer } = array;
    for (const count of [10, 1000, 200_000]) {
      backend.pairLoss(randomPairs(count, 81), { lossType: ["aot", "aot_unpaired", "sigmoid"] });
      expect(array.buffer).toBe(buffer);
      expect(array.length).toBe(8);
      expect(Array.from(array)).toEqual(Array(8).fill(3));
    }
    backend.free(array);
  });
});

describe("a backend without a reserve", () => {
  it("allocates little or nothing, and computes as well", async () => {
    const [none, some] = [await createWasm({ relaxed: false }), await createWasm({ relaxed: false, reserve: 4096 })];
    expect(() => none.allocate("f32", 65536)).toThrow(expect.objectContaining({ code: "out-of-memory" }));
    const pairs = randomPairs(1003, 82);
    expect(missesBits(none.pairLoss(pairs), some.pairLoss(pairs))).toEqual([]);
    expect(some.allocate("f32", 1024).length).toBe(1024);
  });
});

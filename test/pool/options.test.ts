// The options of createPool: checked before anything starts.

import { expect, it, vi } from "vitest";
import { DpoError } from "../../src/index.ts";
import { createPool, type PoolOptions } from "../../src/pool.ts";
import { errorOf, poolOf } from "./support/pools.ts";

it.each<[string, object, string, string, RegExp]>([
  [
    "an unknown option",
    { threads: 2 },
    "ParamError",
    "unknown-option",
    /^threads: not an option of createPool; known: workers, /,
  ],
  ["no workers", { workers: 0 }, "ParamError", "out-of-range", /^workers: expected .*got 0/],
  ["half a worker", { workers: 1.5 }, "ParamError", "out-of-range", /^workers: expected .*got 1.5/],
  ["workers in words", { workers: "two" }, "KindError", "wrong-kind", /^workers: /],
  [
    "another memory",
    { memory: "x" },
    "ParamError",
    "out-of-range",
    /^memory: expected auto or shared or transfer, got "x"/,
  ],
  ["memory as a number", { memory: 1 }, "ParamError", "out-of-range", /^memory: /],
  ["a queue of −1", { maxQueue: -1 }, "ParamError", "out-of-range", /^maxQueue: /],
  ["a queue of NaN", { maxQueue: Number.NaN }, "ParamError", "out-of-range", /^maxQueue: /],
  ["a queue in words", { maxQueue: "3" }, "KindError", "wrong-kind", /^maxQueue: /],
  [
    "more workers than any machine has",
    { workers: 2 ** 31 - 1 },
    "ParamError",
    "out-of-range",
    /^workers: expected .*1\.\.512, got 2147483647/,
  ],
  ["one worker too many", { workers: 513 }, "ParamError", "out-of-range", /^workers: expected .*1\.\.512, got 513/],
  ["a queue beyond counting", { maxQueue: 2 ** 53 }, "ParamError", "out-of-range", /^maxQueue: /],
  ["more time than timers have", { timeout: 2 ** 31 }, "ParamError", "out-of-range", /^timeout: /],
  ["time without end", { timeout: Infinity }, "ParamError", "out-of-range", /^timeout: /],
  ["relaxed in words", { relaxed: "yes" }, "KindError", "wrong-kind", /^relaxed: expected true or false/],
  ["no time", { timeout: 0 }, "ParamError", "out-of-range", /^timeout: /],
  [
    "a worker where its maker belongs",
    { createWorker: {} },
    "KindError",
    "wrong-kind",
    /^createWorker: expected a function/,
  ],
])("%s is refused", async (_what, options, name, code, message) => {
  const error = await errorOf(createPool(options as PoolOptions));
  expect(error).toBeInstanceOf(DpoError);
  expect(error).toMatchObject({ name, code, message: expect.stringMatching(message) });
});

it.each([null, 3, "pool"])("%j in place of options is refused", async (options) => {
  expect(await errorOf(createPool(options as never))).toMatchObject({ name: "KindError", code: "wrong-kind" });
});

it("options that are undefined are absent", async () => {
  const names = ["workers", "memory", "createWorker", "module", "relaxed", "maxQueue", "timeout", "threads"];
  const pool = await createPool(Object.fromEntries(names.map((name) => [name, undefined])));
  expect(pool.name).toBe("pool");
  await pool.dispose();
});

it("the reason says how data travel, and why", async () => {
  expect((await poolOf({ memory: "transfer", workers: 3 })).reason).toMatch(/3 workers.*memory is "transfer".*copied/);
  expect((await poolOf({ memory: "shared" })).reason).toMatch(/shared memory/);
  expect((await poolOf()).reason).toMatch(/shared memory/);
});

it("where memory cannot be shared, auto copies and says so, and shared is refused", async () => {
  vi.stubGlobal("SharedArrayBuffer", undefined);
  try {
    expect((await poolOf()).reason).toMatch(/not cross-origin isolated.*copied/);
    const error = await errorOf(createPool({ memory: "shared" }));
    expect(error).toMatchObject({ name: "BackendError", code: "unavailable" });
  } finally {
    vi.unstubAllGlobals();
  }
});

// Errors of a worker keep class, code, message and cause on their way; those of ours leave the worker in place.

import { expect, it } from "vitest";
import { fromWire, toWire } from "../../src/backends/pool/wire-error.ts";
import { AbortError, BackendError, DpoError, KindError, ParamError, ShapeError, WorkerError } from "../../src/index.ts";
import { callOf } from "../support/call.ts";
import { unrulyWorkers } from "./support/orders.ts";
import { errorOf, poolOf, small, wasm } from "./support/pools.ts";

it("a typed error of a worker comes through a call as it is, and the worker stays", async () => {
  const { workers, createWorker, misbehave } = unrulyWorkers("answerTyped");
  const pool = await poolOf({ workers: 1, createWorker });
  misbehave(1);
  const error = await errorOf(pool.logitsLoss(small));
  expect(error).toBeInstanceOf(ParamError);
  expect(error).toBeInstanceOf(RangeError);
  expect(error).toBeInstanceOf(DpoError);
  expect(error).toMatchObject({ name: "ParamError", code: "bad-id", message: "ids[3]: expected less" });
  expect((error as Error).cause).toMatchObject({ name: "Error", message: "why" });
  expect((error as Error).stack).toContain("unruly-worker");
  expect((await pool.logitsLoss(small)).loss).toBe(wasm.logitsLoss(small).loss);
  expect(workers).toHaveLength(1);
});

it("any other error of a worker is the cause of a WorkerError, down to its own cause", async () => {
  const { createWorker, misbehave } = unrulyWorkers("answerDefect");
  const pool = await poolOf({ workers: 1, createWorker });
  misbehave(1);
  const error = (await errorOf(pool.logitsLoss(small))) as Error;
  expect(error).toBeInstanceOf(WorkerError);
  expect(error.cause).toMatchObject({ name: "TypeError", message: "a defect" });
  expect((error.cause as Error).cause).toMatchObject({ message: "below it" });
});

const cause = new Error("why");
it.each([
  new ShapeError("overlap", "m", { cause }),
  new ParamError("not-finite", "m", { cause }),
  new KindError("m", { cause }),
  new BackendError("out-of-memory", "m", { cause }),
  new WorkerError("m", { cause }),
  new AbortError(cause),
])("$name survives the wire", (error) => {
  const back = fromWire(structuredClone(toWire(error))) as DpoError;
  expect(back).toBeInstanceOf(error.constructor);
  expect(back).toBeInstanceOf(DpoError);
  const { name, code, message, stack } = error as DpoError;
  expect(back).toMatchObject({ name, code, message, stack });
  expect(back.cause).toMatchObject({ name: "Error", message: "why" });
});

it.each(["a string", 3, null, undefined, { name: "X", message: "y" }])("a thrown %j survives it", (thrown) => {
  const back = fromWire(structuredClone(toWire(thrown)));
  expect(back).toBeInstanceOf(Error);
  expect(back).not.toBeInstanceOf(DpoError);
  expect(back.message).toBe(typeof thrown === "object" && thrown ? "y" : String(thrown));
});

it("arguments are refused by promise, never by a throw", async () => {
  const pool = await poolOf();
  for (const call of ["pairLoss", "sequenceLogps", "logitsLoss"] as const) {
    for (const given of [undefined, null, 3, {}]) {
      expect(await errorOf(callOf(pool, call)(given, given as never))).toBeInstanceOf(KindError);
    }
  }
});

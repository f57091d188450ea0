// A pool whose callers keep their arrays in shared memory.

import type { AsyncBackend, CallOptions } from "../../src/types.ts";
import { callOf } from "./call.ts";

/** Copies of the typed arrays of a value in shared memory, wherever they stand in it; everything else as it is. */
export function shared<T>(value: T): T {
  if (ArrayBuffer.isView(value)) return sharedCopy(value as unknown as Float32Array) as T;
  if (typeof value !== "object" || value === null || Object.getPrototypeOf(value) !== Object.prototype) return value;
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, shared(each)])) as T;
}

function sharedCopy(array: Float32Array): ArrayBufferView {
  if (array instanceof DataView || array.byteLength === 0) return array;
  const ArrayType = array.constructor as Float32ArrayConstructor;
  const copy = new ArrayType(new SharedArrayBuffer(array.byteLength) as unknown as ArrayBuffer);
  copy.set(array);
  return copy;
}

/** The pool, with inputs moved to shared memory first, unless results are written over them. */
export function overSharedArrays(pool: AsyncBackend): AsyncBackend {
  const inputs = <T>(value: T, options: object | undefined): T => {
    const { inPlace, out } = (options ?? {}) as { inPlace?: unknown; out?: unknown };
    return inPlace || out ? value : shared(value);
  };
  const names = ["pairLoss", "unpairedLoss", "sequenceLogps", "logitsLoss", "linearLoss"] as const;
  const calls = names.map((name) => {
    const call = callOf(pool, name);
    return [name, (given: unknown, options?: CallOptions) => call(inputs(given, options), options)];
  });
  return { ...pool, ...Object.fromEntries(calls) };
}

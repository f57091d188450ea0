// Where optimisers run, and float32 parameters to run them on.

import fc from "fast-check";
import { vi } from "vitest";
import { createWasm } from "../../src/index.ts";
import * as train from "../../src/train.ts";
import type { Backend } from "../../src/types.ts";
import { randomFrom } from "./pairs.ts";

export interface Place {
  name: string;
  train: typeof train;
  /** A copy of the values, where the place has its arrays. */
  put(values: Float32Array): Float32Array<ArrayBufferLike>;
  /** For the optimiser's state. */
  backend?: Backend | undefined;
}

const wasm = await createWasm({ reserve: 1 << 24 });

function inMemory(values: Float32Array): Float32Array {
  const array = wasm.allocate("f32", values.length);
  array.set(values);
  return array;
}

// At an odd element of a larger buffer.
function shared(values: Float32Array): Float32Array<ArrayBufferLike> {
  const view = new Float32Array(new SharedArrayBuffer(4 * values.length + 12), 4, values.length);
  view.set(values);
  return view;
}

/** The same functions where WebAssembly does not exist: they look for it at their first call. */
async function withoutWebAssembly(): Promise<typeof train> {
  vi.stubGlobal("WebAssembly", undefined);
  vi.resetModules();
  const module: typeof train = await import("../../src/train.ts");
  const { m } = module.adamwState(new Float32Array(1 << 16));
  vi.unstubAllGlobals();
  if (m[0]?.byteLength !== m[0]?.buffer.byteLength) throw new Error("this is not plain JavaScript");
  return module;
}

const own = (values: Float32Array): Float32Array => values.slice();

export const places: readonly Place[] = [
  { name: "own arrays", train, put: own },
  { name: "views of a SharedArrayBuffer", train, put: shared },
  { name: "arrays of allocate, the state too", train, put: inMemory, backend: wasm },
  { name: "arrays of allocate, the state elsewhere", train, put: inMemory },
  { name: "plain JavaScript", train: await withoutWebAssembly(), put: own },
];

/** n numbers of either sign, magnitudes from 1e-6 to 1e6 and some zeros. */
export function randomFloats(n: number, seed: number): Float32Array {
  const random = randomFrom(seed);
  return Float32Array.from({ length: n }, () => {
    const value = (random() - 0.5) * 10 ** (12 * random() - 6);
    return random() < 0.1 ? 0 : value;
  });
}

export const awkwardSizes = [0, 1, 3, 4, 5, 1003];

/** Lists of sizes, some beyond a piece. */
export const sizeLists = fc.array(
  fc.oneof(fc.constantFrom(...awkwardSizes), fc.constantFrom(16383, 16384, 16389, 40001)),
  {
    minLength: 0,
    maxLength: 3,
  },
);

/** The arrays of a list by number, in float64. */
export const wideOf = (list: readonly Float32Array<ArrayBufferLike>[]): Float64Array[] =>
  list.map((array) => Float64Array.from(array));

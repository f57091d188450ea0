// Where the arrays of a call are.

import type { ElementTypes } from "../../types.ts";
import type { Problem } from "../types.ts";
import type { AnyBackend } from "./library.ts";

/** Gives arrays of the caller's own, or of the backend's memory. */
export interface Arrays {
  /** Zeros. */
  make<T extends keyof ElementTypes>(type: T, n: number): ElementTypes[T];
  /** The inputs as they are, or a copy of them in the backend's memory. */
  put<A extends Float32Array | Uint16Array | Int32Array | Uint8Array>(array: A): A;
}

const classes = { f32: Float32Array, f16: Uint16Array, bf16: Uint16Array, i32: Int32Array, u8: Uint8Array } as const;

export const ownArrays: Arrays = {
  make: <T extends keyof ElementTypes>(type: T, n: number) => new classes[type](n) as ElementTypes[T],
  put: (array) => array,
};

export function allocated({ allocate }: AnyBackend): Arrays {
  if (!allocate) return ownArrays;
  const typeOf = (array: ArrayBufferView) =>
    (Object.keys(classes) as (keyof typeof classes)[]).find((type) => array instanceof classes[type]) ?? "f32";
  return {
    make: (type, n) => allocate(type, n),
    put(array) {
      const copy = allocate(typeOf(array), array.length);
      copy.set(array);
      return copy as typeof array;
    },
  };
}

/** Bytes for the inputs of a problem and for as many results: what a backend has to reserve for them. */
export function bytesFor({ inputs }: Problem): number {
  const bytes = (value: unknown): number => {
    if (ArrayBuffer.isView(value)) return value.byteLength + 64;
    return typeof value === "object" && value !== null
      ? Object.values(value).reduce((sum: number, part) => sum + bytes(part), 0)
      : 0;
  };
  return 2 * bytes(inputs) + 4096;
}

// Arrays in the middle of larger memory, with bytes around them that nothing may write.

import type { AnyBackend } from "./candidate.ts";

export type Typed =
  | Float32Array
  | Float64Array
  | Uint16Array
  | Int32Array
  | Uint8Array
  | BigInt64Array
  | (Float16Array & { readonly constructor: unknown });

export interface Guarded<A> {
  view: A;
  /** Whether the bytes around the view are as they were. */
  isIntact(): boolean;
}

const MARK = 0xa5;
const AFTER = 3;

type ViewOf<A> = new (buffer: ArrayBufferLike, offset: number, length: number) => A;

function guard<A extends Typed>(
  array: A,
  buffer: ArrayBufferLike,
  start: number,
  bytes: number,
  at: number,
): Guarded<A> {
  const whole = new Uint8Array(buffer, start, bytes);
  whole.fill(MARK);
  const from = at * array.BYTES_PER_ELEMENT;
  const view = new (array.constructor as ViewOf<A>)(buffer, start + from, array.length);
  whole.set(bytesOf(array), from);
  const isMark = (byte: number): boolean => byte === MARK;
  const before = whole.subarray(0, from);
  const after = whole.subarray(from + array.byteLength);
  return { view, isIntact: () => before.every(isMark) && after.every(isMark) };
}

/** A copy of the array in a buffer of its own, `at` elements in. */
export function guarded<A extends Typed>(
  array: A,
  at: number,
  Buffer: new (bytes: number) => ArrayBufferLike = ArrayBuffer,
): Guarded<A> {
  const bytes = (at + array.length + AFTER) * array.BYTES_PER_ELEMENT;
  return guard(array, new Buffer(bytes), 0, bytes, at);
}

/** The bytes that a view covers. */
export const bytesOf = ({ buffer, byteOffset, byteLength }: ArrayBufferView<ArrayBufferLike>): Uint8Array =>
  new Uint8Array(buffer, byteOffset, byteLength);

export const sameBytes = (a: Uint8Array, b: Uint8Array): boolean =>
  a.length === b.length && a.every((byte, i) => byte === b[i]);

/** Copies of arrays in the memory of the backend, `at` elements into blocks of `allocate`. */
export function memoryOf(backend: AnyBackend) {
  const blocks: ArrayBufferView[] = [];
  return {
    place<A extends Float32Array | Uint16Array>(array: A, at: number): Guarded<A> {
      const block = backend.allocate(array instanceof Float32Array ? "f32" : "f16", at + array.length + AFTER);
      blocks.push(block);
      const { buffer, byteOffset, byteLength } = block;
      return guard<Float32Array | Uint16Array>(array, buffer, byteOffset, byteLength, at) as Guarded<A>;
    },
    free: () => blocks.splice(0).forEach(backend.free),
  };
}

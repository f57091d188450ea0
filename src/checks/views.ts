// Typed arrays as they are, whatever they say of themselves: own properties, subclasses and other realms change nothing here.

import { ShapeError } from "../errors.ts";

const prototype = Object.getPrototypeOf(Uint8Array.prototype);
const getter = <T>(name: PropertyKey): (() => T) => Object.getOwnPropertyDescriptor(prototype, name)?.get as () => T;
const length = getter<number>("length");
const byteOffset = getter<number>("byteOffset");
const byteLength = getter<number>("byteLength");
const buffer = getter<ArrayBufferLike>("buffer");
const { set } = prototype as Float32Array;

/** A part of a device's buffer: it has a place and a length, and no elements that could be read here. */
export interface DeviceMemory {
  readonly buffer: object;
  readonly byteOffset: number;
  readonly byteLength: number;
  readonly length: number;
}

/** Memory that an array takes, here or on a device. */
export type Memory = ArrayBufferView | DeviceMemory;

/** Elements of a typed array; 0 if its buffer is detached. */
export const lengthOf = (array: Memory): number => (ArrayBuffer.isView(array) ? length.call(array) : array.length);

/** The byte of its buffer that a typed array starts at. */
export const offsetOf = (array: Memory): number =>
  ArrayBuffer.isView(array) ? byteOffset.call(array) : array.byteOffset;

/** Bytes of a typed array. */
export const bytesOf = (array: Memory): number =>
  ArrayBuffer.isView(array) ? byteLength.call(array) : array.byteLength;

/** The buffer of a typed array. It costs: an engine makes it when it is first asked for. */
export function bufferOf(array: ArrayBufferView): ArrayBufferLike;
export function bufferOf(array: Memory): object;
export function bufferOf(array: Memory): object {
  return ArrayBuffer.isView(array) ? buffer.call(array) : array.buffer;
}

/** `to.set(from, at)` of any two typed arrays of numbers. */
export function setNumbers(to: ArrayBufferView, from: ArrayBufferView, at: number): void {
  set.call(to as Float32Array, from as Float32Array, at);
}

/** The first index whose number fails the test; −1 if none does. */
export function findNumber(array: ArrayLike<number> & ArrayBufferView, fails: (value: number) => boolean): number {
  const n = lengthOf(array);
  for (let i = 0; i < n; i++) if (fails(array[i] as number)) return i;
  return -1;
}

const types = { Float32Array, Float64Array, Int32Array, Uint32Array, Uint16Array, Uint8Array, BigInt64Array } as const;

/** A view of n elements from `start` on that is nothing but a view, of this realm; `kind` is what `arrayKind` says. */
export function plainView<A extends ArrayBufferView>(
  array: A,
  kind: string,
  start = 0,
  n = lengthOf(array) - start,
): A {
  const View = kind === "Float16Array" ? Float16Array : types[kind as keyof typeof types];
  try {
    return new View(
      bufferOf(array) as ArrayBuffer,
      offsetOf(array) + start * View.BYTES_PER_ELEMENT,
      n,
    ) as unknown as A;
  } catch {
    // Its buffer is detached: it holds nothing, as its length says too.
    return new View(0) as unknown as A;
  }
}

/** Whether two arrays share a byte. */
export const overlap = (a: Memory, b: Memory): boolean => bufferOf(a) === bufferOf(b) && shareBytes(a, b);

/** The same for two of one buffer. */
export const shareBytes = (a: Memory, b: Memory): boolean =>
  offsetOf(a) < offsetOf(b) + bytesOf(b) && offsetOf(b) < offsetOf(a) + bytesOf(a);

/** Says of memory that is handed out in pieces whether bytes of it lie in a piece that is held. */
export type IsHeld = (at: number, bytes: number) => boolean;

const handedOut = new WeakMap<object, IsHeld>();
let isAnyHandedOut = false;

/** From now on a view of this buffer is an array only where a piece is held: what lies beside it is a backend's own. */
export function handOut(buffer: ArrayBufferLike, isHeld: IsHeld): void {
  isAnyHandedOut = true;
  handedOut.set(buffer, isHeld);
}

/** Whether any was. Until then no array can be stray, and a call of a few pairs need not ask for buffers. */
export const canStray = (): boolean => isAnyHandedOut;

/**
 * Refuses a view of a backend's memory that is not within an array of `allocate`: one made with its byte offset forgotten,
 * too long, or of an array that was freed.
 *
 * Throws    ShapeError
 */
export function refuseStray(array: Memory, name: string, buffer: object, prefix = ""): void {
  const isHeld = handedOut.get(buffer);
  if (!isHeld) return;
  const [at, bytes] = [offsetOf(array), bytesOf(array)];
  if (bytes === 0 || isHeld(at, bytes)) return;
  const got = `bytes ${at}..${at + bytes} of a backend's memory`;
  throw new ShapeError(
    "overlap",
    `${prefix}${name}: expected an array that \`allocate\` gave, or a part of one, got ${got}`,
  );
}

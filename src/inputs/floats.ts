// Element types: float32, float16, bfloat16, and the scalar conversions between them (twins of assembly/inline/half.ts).

import { recordOf } from "../checks/record.ts";
import { wrongKind, wrongLength } from "../checks/refusals.ts";
import { bufferOf, type DeviceMemory, type Memory, plainView, refuseStray } from "../checks/views.ts";
import { arrayKind } from "../messages.ts";
import type { Floats } from "../types.ts";

export type FloatType = "f32" | "f16" | "bf16";

/** Floats on the host, as kernels see them: the type, and the numbers or their bits. */
export interface FloatData {
  readonly type: FloatType;
  readonly data: Float32Array<ArrayBufferLike> | Uint16Array<ArrayBufferLike>;
}

/** Floats in a buffer of a GPU, as shaders see them: the type, where they lie, and how many there are. */
export interface DeviceFloats extends DeviceMemory {
  readonly type: FloatType;
  readonly buffer: GPUBuffer;
}

/** Floats on the host or on a device. What checks ask of them, type, length and memory, both have. */
export type AnyFloats = FloatData | DeviceFloats;

export const isOnDevice = (floats: AnyFloats): floats is DeviceFloats => "buffer" in floats;

/** The memory that floats take. */
export const memoryOf = (floats: AnyFloats): Memory => (isOnDevice(floats) ? floats : floats.data);

/** How the checks of a call read its arrays; F is what a backend computes on. */
export interface ArrayReader<F extends AnyFloats> {
  /** Recognises floats and checks their number. Throws    KindError, ShapeError, ParamError */
  floats(value: unknown, name: string, length: number): F;
  /** The same of a gradient that the caller names. */
  gradient(value: unknown, name: string, length: number): F;
  /** Makes a gradient that the caller did not name: as the result names it, and as the backend sees it. */
  newGradient(like: unknown, type: FloatType, length: number): { readonly value: unknown; readonly data: F };
  /** How many floats there are; undefined if there are none. */
  lengthOf(value: unknown): number | undefined;
  isFloat32(value: unknown): boolean;
  /** Whether int32 ids lie on a device, which they are then checked for. Throws    KindError, ShapeError, ParamError */
  hasIds(value: unknown, name: string, length: number): boolean;
  /** Float32 log-probs that lie on a device. Throws    KindError, ShapeError, ParamError */
  deviceLogps(value: unknown, name: string, length: number): Exclude<F, FloatData> | undefined;
}

/** Reads typed arrays, which is all that backends on the host take. */
export const hostArrays: ArrayReader<FloatData> = {
  floats: readFloats,
  gradient: readFloats,
  newGradient(like, type, length) {
    const value = makeFloats(like, type, length);
    return { value, data: readFloats(value, "gradient", length) };
  },
  lengthOf,
  isFloat32,
  hasIds: () => false,
  deviceLogps: () => undefined,
};

// An array of the gradient's type, in the wrapper that its input came in.
function makeFloats(like: unknown, type: FloatType, length: number): Floats {
  if (type === "f32") return new Float32Array(length);
  if (arrayKind(like) === "Float16Array") return new Float16Array(length);
  const bits = new Uint16Array(length);
  return type === "f16" ? { f16: bits } : { bf16: bits };
}

/**
 * Recognises an array of floats and checks its length.
 *
 * Throws    KindError, ShapeError
 */
export function readFloats(value: unknown, name: string, length: number): FloatData {
  const floats = recognise(value, name);
  if (!floats) {
    const expected = "a Float32Array, a Float16Array, { f16: Uint16Array } or { bf16: Uint16Array }";
    throw wrongKind(name, expected, value);
  }
  if (floats.data.length === length) return floats;
  throw wrongLength(name, `${length} values`, floats.data.length);
}

/** How many numbers an array of floats holds; undefined if it is none. */
export function lengthOf(value: unknown): number | undefined {
  return recognise(value)?.data.length;
}

function isFloat32(value: unknown): boolean {
  return recognise(value)?.type === "f32";
}

const readHalf = recordOf<{ f16?: unknown; bf16?: unknown }>(
  { what: "floats", field: "a part of an array of half floats", prefix: "" },
  ["f16", "bf16"],
);

function recognise(value: unknown, name = "floats"): FloatData | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const kind = arrayKind(value);
  if (kind === "") return recogniseObject(value, name);
  const view = value as Float32Array | Uint16Array;
  if (kind !== "Float32Array" && kind !== "Float16Array") return undefined;
  refuseStray(view, name, bufferOf(view));
  const data = plainView(view, kind === "Float32Array" ? kind : "Uint16Array");
  return { type: kind === "Float32Array" ? "f32" : "f16", data };
}

function recogniseObject(value: object, name: string): FloatData | undefined {
  try {
    if (!("f16" in value || "bf16" in value)) return undefined;
  } catch {
    // A proxy that throws is no array of floats.
    return undefined;
  }
  const { f16, bf16 } = readHalf(value);
  const bits = f16 ?? bf16;
  if ((f16 !== undefined && bf16 !== undefined) || arrayKind(bits) !== "Uint16Array") return undefined;
  const view = bits as Uint16Array;
  refuseStray(view, name, bufferOf(view));
  return { type: f16 === undefined ? "bf16" : "f16", data: plainView(view, "Uint16Array") };
}

const bits = new Uint32Array(1);
const number = new Float32Array(bits.buffer);

/** The number that bfloat16 bits stand for. */
export function fromBf16(half: number): number {
  bits[0] = half << 16;
  return number[0] as number;
}

/** The number that float16 bits stand for. */
export function fromF16(half: number): number {
  const sign = half & 0x8000 ? -1 : 1;
  const exponent = (half >> 10) & 31;
  const mantissa = half & 1023;
  if (exponent === 31) return mantissa ? Number.NaN : sign * Infinity;
  return exponent === 0 ? sign * mantissa * 2 ** -24 : sign * (1024 + mantissa) * 2 ** (exponent - 25);
}

/** The bits of the bfloat16 nearest to a float32, ties to even. */
export function toBf16(value: number): number {
  number[0] = value;
  const word = bits[0] as number;
  if (Number.isNaN(value)) return 0x7fc0;
  return (word + 0x7fff + ((word >>> 16) & 1)) >>> 16;
}

/** The bits of the float16 nearest to a float32, ties to even. */
export function toF16(value: number): number {
  number[0] = value;
  const word = bits[0] as number;
  const sign = (word >>> 16) & 0x8000;
  const size = Math.abs(number[0] as number);
  if (Number.isNaN(size)) return 0x7e00;
  if (size >= 65520) return sign | 0x7c00;
  const exponent = Math.max(((word >>> 23) & 255) - 127, -14);
  const ulp = 2 ** (exponent - 10);
  const steps = roundToEven(size / ulp);
  return sign | (exponent === -14 ? steps : ((exponent + 14) << 10) + steps);
}

function roundToEven(x: number): number {
  const down = Math.floor(x);
  const rest = x - down;
  return rest > 0.5 || (rest === 0.5 && down % 2 === 1) ? down + 1 : down;
}

/** All numbers of a half type, by their bits: decoding by table is what makes the js backend's half types as fast as float32. */
export function decodeTable(type: "f16" | "bf16"): Float32Array {
  tables[type] ??= Float32Array.from({ length: 65536 }, (_, half) => (type === "f16" ? fromF16(half) : fromBf16(half)));
  return tables[type];
}

const tables: Partial<Record<"f16" | "bf16", Float32Array>> = {};

/** One element, as a number. */
export function floatAt({ type, data }: FloatData, at: number): number {
  const value = data[at] as number;
  return type === "f32" ? value : type === "f16" ? fromF16(value) : fromBf16(value);
}

/** Sets one element to the nearest number of its type. */
export function setFloat({ type, data }: FloatData, at: number, value: number): void {
  data[at] = type === "f32" ? value : type === "f16" ? toF16(value) : toBf16(value);
}

/** Elements from `from` on, as many as `into` takes. */
export function decodeFloats({ type, data }: FloatData, from: number, into: Float32Array | Float64Array): void {
  if (type === "f32") {
    into.set(data.subarray(from, from + into.length));
    return;
  }
  const table = decodeTable(type);
  for (let i = 0; i < into.length; i++) into[i] = table[data[from + i] as number] as number;
}

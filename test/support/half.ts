// float16 and bfloat16 by the book, for the tests: rounding in float64 arithmetic, to nearest, ties to even.

import type { Floats } from "../../src/types.ts";

export type HalfType = "f16" | "bf16";

interface Format {
  /** Bits of the significand after the point. */
  mantissa: number;
  /** The exponent of the least normal number, and of the greatest. */
  least: number;
  most: number;
}

const formats: Readonly<Record<HalfType, Format>> = {
  f16: { mantissa: 10, least: -14, most: 15 },
  bf16: { mantissa: 7, least: -126, most: 127 },
};

/** The nearest number of the type. */
export function roundTo(type: HalfType, x: number): number {
  if (x === 0 || !Number.isFinite(x)) return x;
  const { mantissa, least, most } = formats[type];
  const size = Math.abs(x);
  let exponent = Math.floor(Math.log2(size));
  // Math.log2 may round up to the next integer.
  if (2 ** exponent > size) exponent--;
  const ulp = 2 ** (Math.max(exponent, least) - mantissa);
  const steps = size / ulp;
  const down = Math.floor(steps);
  const up = steps - down > 0.5 || (steps - down === 0.5 && down % 2 === 1);
  const rounded = (up ? down + 1 : down) * ulp;
  return Math.sign(x) * (rounded >= 2 ** (most + 1) ? Infinity : rounded);
}

/** The bits of a number of the type. */
export function bitsOf(type: HalfType, x: number): number {
  const { mantissa, least, most } = formats[type];
  const exponentBits = most - least + 2;
  const sign = x < 0 || Object.is(x, -0) ? 0x8000 : 0;
  const size = Math.abs(x);
  if (Number.isNaN(x)) return (exponentBits << mantissa) | (1 << (mantissa - 1));
  if (size === Infinity) return sign | (exponentBits << mantissa);
  if (size < 2 ** least) return sign | (size / 2 ** (least - mantissa));
  let exponent = Math.floor(Math.log2(size));
  if (2 ** exponent > size) exponent--;
  if (2 ** (exponent + 1) <= size) exponent++;
  return sign | ((exponent - least + 1) << mantissa) | ((size / 2 ** exponent - 1) * 2 ** mantissa);
}

/** The number that the bits stand for. */
export function numberOf(type: HalfType, half: number): number {
  const { mantissa, least, most } = formats[type];
  const sign = half & 0x8000 ? -1 : 1;
  const exponent = (half & 0x7fff) >> mantissa;
  const fraction = (half & ((1 << mantissa) - 1)) / 2 ** mantissa;
  if (exponent === most - least + 2) return fraction ? Number.NaN : sign * Infinity;
  return sign * (exponent === 0 ? fraction * 2 ** least : (1 + fraction) * 2 ** (exponent - 1 + least));
}

/** The ways to give half-precision floats. */
export const wrappers = {
  Float16Array: { type: "f16", wrap: (bits: Uint16Array): Floats => new Float16Array(bits.buffer as ArrayBuffer) },
  "{ f16 }": { type: "f16", wrap: (bits: Uint16Array): Floats => ({ f16: bits }) },
  "{ bf16 }": { type: "bf16", wrap: (bits: Uint16Array): Floats => ({ bf16: bits }) },
} as const;

/** Numbers as bits of the nearest halves. */
export const toBits = (type: HalfType, values: Float32Array): Uint16Array =>
  Uint16Array.from(values, (x) => bitsOf(type, roundTo(type, x)));

/** Bits of halves as numbers. */
export const fromBits = (type: HalfType, bits: Uint16Array): Float32Array =>
  Float32Array.from(bits, (half) => numberOf(type, half));

/** Any floats as numbers. */
export function numbersOf(floats: Floats): Float32Array {
  if ("f16" in floats) return fromBits("f16", floats.f16 as Uint16Array);
  if ("bf16" in floats) return fromBits("bf16", floats.bf16 as Uint16Array);
  return Float32Array.from(floats);
}

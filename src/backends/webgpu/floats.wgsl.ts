// Element types in storage: float32 as it is, float16 and bfloat16 two to a 32-bit word. Conversions are integer arithmetic:
// WGSL leaves open what unpack2x16float does with denormals and how pack2x16float rounds, and not every device has shader-f16.

import type { FloatType } from "../../inputs/floats.ts";

/** Bytes per element. */
export const bytesOf = (type: FloatType): number => (type === "f32" ? 4 : 2);

/** Elements per word. */
export const perWord = (type: FloatType): number => (type === "f32" ? 1 : 2);

const decoders = {
  f32: "fn decode(word: u32, odd: bool) -> f32 { return bitcast<f32>(word); }",
  bf16: "fn decode(word: u32, odd: bool) -> f32 { return bitcast<f32>(select(word << 16u, word & 0xffff0000u, odd)); }",
  f16: /* wgsl */ `
fn decode(word: u32, odd: bool) -> f32 {
  let half = select(word & 0xffffu, word >> 16u, odd);
  let sign = (half & 0x8000u) << 16u;
  let size = half & 0x7fffu;
  let exponent = select((size << 13u) + 0x38000000u, (size << 13u) | 0x7f800000u, size >= 0x7c00u);
  let small = bitcast<u32>(f32(size) * 0.000000059604644775390625); // 2^-24
  return bitcast<f32>(sign | select(exponent, small, size < 0x400u));
}`,
};

// Round to nearest, ties to even. Twins of toF16 and toBf16 in src/inputs/floats.ts.
const encoders = {
  f32: "fn encode(bits: u32) -> u32 { return bits; }",
  bf16: /* wgsl */ `
fn encode(bits: u32) -> u32 {
  if ((bits & 0x7fffffffu) > 0x7f800000u) { return 0x7fc0u; }
  return (bits + 0x7fffu + ((bits >> 16u) & 1u)) >> 16u;
}`,
  f16: /* wgsl */ `
fn encode(bits: u32) -> u32 {
  let sign = (bits >> 16u) & 0x8000u;
  let size = bits & 0x7fffffffu;
  if (size > 0x7f800000u) { return 0x7e00u; }
  if (size >= 0x477ff000u) { return sign | 0x7c00u; }
  if (size >= 0x38800000u) { return sign | ((size + 0xfffu + ((size >> 13u) & 1u) - 0x38000000u) >> 13u); }
  let shift = 126u - (size >> 23u);
  if (shift > 24u) { return sign; }
  let mantissa = (size & 0x7fffffu) | 0x800000u;
  let down = mantissa >> shift;
  let rest = mantissa & ((1u << shift) - 1u);
  let middle = 1u << (shift - 1u);
  return sign | (down + select(0u, 1u, rest > middle || (rest == middle && (down & 1u) == 1u)));
}`,
};

/** `decode(word, odd)`, and `at(i)`: element i of the binding `name`. */
export const readWgsl = (type: FloatType, name: string): string => /* wgsl */ `
${decoders[type]}
fn at(i: u32) -> f32 { return ${type === "f32" ? `decode(${name}[i], false)` : `decode(${name}[i >> 1u], (i & 1u) == 1u)`}; }`;

/** `encode(bits)`: converts the bits of a float32 to those of the type. */
export const encodeWgsl = (type: FloatType): string => encoders[type];

/** How many words a shader writes for `count` elements, an expression over `params`. */
export const wordsWgsl = (type: FloatType): string =>
  perWord(type) === 2 ? "(params.count + 1u) / 2u" : "params.count";

/** Writes word `i` of `to` from `numberBits(e)` of its elements; an element after the last one keeps its bits. */
export const storeWgsl = (type: FloatType): string => {
  if (type === "f32") return "to[params.to + i] = numberBits(i);";
  return /* wgsl */ `
  let e = 2u * i;
  var high = to[params.to / 2u + i] >> 16u;
  if (e + 1u < params.count) { high = numberBits(e + 1u); }
  to[params.to / 2u + i] = numberBits(e) | (high << 16u);`;
};

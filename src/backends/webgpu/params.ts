// Parameters of a shader: integers and floats in one buffer, as the shader's struct has them.

/** Integers as they are, floats as float32, in the order of the struct's fields. */
export function packParams(fields: readonly ({ u32: number } | { f32: number } | readonly number[])[]): Uint32Array {
  const words: number[] = [];
  for (const field of fields) {
    if ("u32" in field) words.push(field.u32);
    else words.push(...bitsOf("f32" in field ? [field.f32] : field));
  }
  return Uint32Array.from(words);
}

const bitsOf = (floats: readonly number[]): Uint32Array => new Uint32Array(Float32Array.from(floats).buffer);

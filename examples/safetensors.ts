// Tensors of a safetensors file as their bytes, which the examples read as they need.

import { readSafetensors } from "dpo-kernels/train";

/** A tensor's bytes, copied. */
export function readTensor(file: Uint8Array, name: string): ArrayBuffer {
  const { data } = readSafetensors(file).tensors[name] ?? {};
  if (!data) throw new Error(`no tensor ${name} in this file`);
  const { buffer, byteOffset, byteLength } = data;
  return buffer.slice(byteOffset, byteOffset + byteLength);
}

/** What the file says of itself. */
export const readMetadata = (file: Uint8Array): Readonly<Record<string, string>> => readSafetensors(file).metadata;

// SHA-256 of what a checkpoint holds and belongs to.

import { BackendError } from "../../errors.ts";

/** In hexadecimal. Throws    BackendError in pages that are not secure contexts, which have no such function */
export async function digest(bytes: Uint8Array): Promise<string> {
  const { subtle } = globalThis.crypto ?? {};
  if (!subtle) throw new BackendError("unavailable", "checkpoints: expected a secure context (https or localhost)");
  const hash = new Uint8Array(await subtle.digest("SHA-256", bytes as Uint8Array<ArrayBuffer>));
  return Array.from(hash, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

export const digestOfText = (text: string): Promise<string> => digest(new TextEncoder().encode(text));

/** Of the numbers of several arrays, each behind its length. */
export function digestOfArrays(arrays: readonly ArrayBufferView[]): Promise<string> {
  const size = arrays.reduce((sum, { byteLength }) => sum + 8 + byteLength, 0);
  const all = new Uint8Array(size);
  const view = new DataView(all.buffer);
  let at = 0;
  for (const { buffer, byteOffset, byteLength } of arrays) {
    view.setFloat64(at, byteLength, true);
    all.set(new Uint8Array(buffer, byteOffset, byteLength), at + 8);
    at += 8 + byteLength;
  }
  return digest(all);
}

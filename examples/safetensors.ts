// Safetensors: the length of a JSON header in eight bytes, the header, the data.

function headerOf(file: Uint8Array): { header: Record<string, Entry>; start: number } {
  const size = Number(new DataView(file.buffer, file.byteOffset).getBigUint64(0, true));
  return { header: JSON.parse(new TextDecoder().decode(file.subarray(8, 8 + size))), start: 8 + size };
}

interface Entry {
  data_offsets: [from: number, to: number];
}

/** A tensor's bytes, copied. */
export function readTensor(file: Uint8Array, name: string): ArrayBuffer {
  const { header, start } = headerOf(file);
  const { data_offsets } = header[name] ?? {};
  if (!data_offsets) throw new Error(`no tensor ${name} in this file`);
  const [from, to] = data_offsets;
  return new Uint8Array(file.subarray(start + from, start + to)).buffer;
}

/** What the file says of itself. */
export const readMetadata = (file: Uint8Array): Record<string, string> =>
  (headerOf(file).header["__metadata__"] ?? {}) as unknown as Record<string, string>;

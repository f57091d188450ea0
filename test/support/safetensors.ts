// Safetensors files made by hand, and a second opinion on whether one is sound: JSON.parse and the words of the format, no more.

/** A file of this header and so many bytes of data. */
export function fileOf(header: string | Uint8Array, dataBytes: number, claimed?: bigint): Uint8Array {
  const text = typeof header === "string" ? new TextEncoder().encode(header) : header;
  const file = new Uint8Array(8 + text.length + dataBytes);
  new DataView(file.buffer).setBigUint64(0, claimed ?? BigInt(text.length), true);
  file.set(text, 8);
  return file;
}

const sizes: Record<string, number> = {
  ...{ BOOL: 1, U8: 1, I8: 1, F8_E4M3: 1, F8_E5M2: 1, U16: 2, I16: 2, F16: 2, BF16: 2 },
  ...{ U32: 4, I32: 4, F32: 4, U64: 8, I64: 8, F64: 8 },
};

/** Whether a file is sound, of one whose keys are all different. */
export function isSound(file: Uint8Array): boolean {
  if (file.length < 8) return false;
  const size = Number(new DataView(file.buffer, file.byteOffset).getBigUint64(0, true));
  if (size > file.length - 8 || file[8] !== 0x7b) return false;
  let header: unknown;
  try {
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(file.subarray(8, 8 + size));
    header = JSON.parse(text);
    // Fractions, exponents and signs are no counts, whatever they come to.
    if (/[-+.eE]/.test(text.replaceAll(/"(?:[^"\\]|\\.)*"/g, ""))) return false;
    if (/\p{Cs}/u.test(allText(header))) return false;
  } catch {
    return false;
  }
  const { __metadata__: metadata = {}, ...tensors } = header as Record<string, unknown>;
  if (!isObject(metadata) || !Object.values(metadata).every((value) => typeof value === "string")) return false;
  const places: [number, number][] = [];
  for (const tensor of Object.values(tensors)) {
    if (!isObject(tensor) || Object.keys(tensor).sort().join() !== "data_offsets,dtype,shape") return false;
    const { dtype, shape, data_offsets: offsets } = tensor;
    if (typeof dtype !== "string" || !Object.hasOwn(sizes, dtype)) return false;
    if (!isIntegers(shape) || !isIntegers(offsets) || offsets.length !== 2) return false;
    let count = 1n;
    for (const n of shape) {
      count *= BigInt(n);
      if (count >= 2n ** 53n) return false;
    }
    const [begin, end] = offsets as [number, number];
    if (BigInt(end - begin) !== count * BigInt(sizes[dtype] as number)) return false;
    places.push([begin, end]);
  }
  places.sort(([a, b], [c, d]) => a - c || b - d);
  let covered = 0;
  for (const [begin, end] of places) {
    if (begin !== covered) return false;
    covered = end;
  }
  return covered === file.length - 8 - size;
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const isIntegers = (value: unknown): value is number[] =>
  Array.isArray(value) && value.every((n) => Number.isSafeInteger(n) && n >= 0);

/** All keys and strings of a value, one after the other. */
function allText(value: unknown): string {
  if (typeof value === "string") return `${value} `;
  if (typeof value !== "object" || value === null) return "";
  return Object.entries(value).reduce((text, [key, part]) => `${text}${key} ${allText(part)}`, "");
}

// Reads safetensors (https://github.com/huggingface/safetensors): the length of a header in eight bytes, the header, the data.
// A file comes from anywhere: whatever it says of itself is checked before a byte of data is looked at.

import { quoted } from "../checks/printable.ts";
import { outOfRange, wrongKind, wrongLength } from "../checks/refusals.ts";
import { bufferOf, bytesOf, offsetOf } from "../checks/views.ts";
import { KindError, ShapeError } from "../errors.ts";
import { kindOf } from "../messages.ts";
import { arrayOver, bytesPerElement, type Dtype, dtypes, isDtype, type SafeTensor } from "./dtypes.ts";
import { type Entry, readHeader } from "./header.ts";

/** What a file holds; neither record has a prototype, so that any name is a name. */
export interface SafetensorsFile {
  readonly tensors: Readonly<Record<string, SafeTensor>>;
  readonly metadata: Readonly<Record<string, string>>;
}

/** The most bytes of a header, as in Hugging Face's own reader. */
const MOST_HEADER = 100_000_000;

/**
 * The tensors of a safetensors file: views of its bytes if they are aligned, else copies. F16 and BF16 are given as their bits.
 *
 * Throws    KindError if it is not such a file; ShapeError for lengths other than the header says, data that overlap or that
 *           no tensor owns; ParamError for an unknown element type
 * @example  import { readSafetensors, writeSafetensors } from "dpo-kernels/train";
 *
 *           const file = writeSafetensors({ weight: { shape: [2, 2], data: Float32Array.of(1, 2, 3, 4) } });
 *           console.log(readSafetensors(file).tensors.weight.shape); // [2, 2]
 */
export function readSafetensors(file: Uint8Array | ArrayBuffer): SafetensorsFile {
  const bytes = toBytes(file);
  if (bytes.length < 8) {
    throw wrongLength("safetensors", "at least 8 bytes", bytes.length);
  }
  const size = Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true));
  const most = Math.min(bytes.length - 8, MOST_HEADER);
  if (size > most) {
    throw wrongLength("safetensors", `a header of at most ${most} bytes`, size);
  }
  const { entries, metadata } = readHeader(decode(bytes.slice(8, 8 + size)));
  const data = bytes.subarray(8 + size);
  checkPlaces(entries, data.length);
  const tensors: Record<string, SafeTensor> = Object.create(null);
  for (const [name, { dtype, shape, begin, end }] of entries) {
    tensors[name] = { dtype: dtype as Dtype, shape, data: arrayOver(dtype as Dtype, data.subarray(begin, end)) };
  }
  return { tensors, metadata: Object.assign(Object.create(null), Object.fromEntries(metadata)) };
}

function toBytes(file: unknown): Uint8Array {
  if (ArrayBuffer.isView(file)) return new Uint8Array(bufferOf(file), offsetOf(file), bytesOf(file));
  if (/ (Shared)?ArrayBuffer$/.test(kindOf(file))) return new Uint8Array(file as ArrayBuffer);
  throw wrongKind("safetensors", "the bytes of a file", file);
}

function decode(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw new KindError("safetensors: header: expected UTF-8, got other bytes", { cause });
  }
}

/** Every byte of the data belongs to one tensor, and each has as many as its type and shape say. */
function checkPlaces(entries: ReadonlyMap<string, Entry>, length: number): void {
  for (const [name, entry] of entries) checkSize(name, entry);
  const inOrder = [...entries].sort(([, a], [, b]) => a.begin - b.begin || a.end - b.end);
  let covered = 0;
  for (const [name, { begin, end }] of inOrder) {
    if (begin !== covered) {
      throw new ShapeError("overlap", `${quoted(name)}: expected data from byte ${covered} on, got ${begin}`);
    }
    covered = end;
  }
  if (covered !== length) {
    throw wrongLength("safetensors", `${covered} bytes of data`, length);
  }
}

function checkSize(name: string, { dtype, shape, begin, end }: Entry): void {
  if (!isDtype(dtype)) {
    throw outOfRange(`${quoted(name)}: dtype`, dtypes.join(", "), quoted(dtype));
  }
  // Beyond 2^53 a product is not exact, and larger than any file: 0 further on does not make it one.
  let count = 1;
  for (const size of shape) {
    count *= size;
    if (!Number.isSafeInteger(count)) {
      throw wrongLength(quoted(name), "a shape of less than 2^53 elements", "more");
    }
  }
  const bytes = count * bytesPerElement(dtype);
  if (end - begin === bytes) return;
  throw wrongLength(quoted(name), `${bytes} bytes of data`, end - begin);
}

// Writes safetensors as Hugging Face's own writer does: the widest types first, so that all data lie on multiples of their size.

import { printable, quoted } from "../checks/printable.ts";
import { copyRecord } from "../checks/record.ts";
import { wrongKind, wrongLength } from "../checks/refusals.ts";
import { bufferOf, bytesOf, lengthOf, offsetOf } from "../checks/views.ts";
import { KindError } from "../errors.ts";
import type { HalfArray } from "../globals.ts";
import { arrayKind, shown } from "../messages.ts";
import { bytesPerElement, type Dtype, dtypeOfKind, fits, isDtype } from "./dtypes.ts";

/** The typed arrays of the format, also over shared memory. */
export type AnyArray =
  | Uint8Array<ArrayBufferLike>
  | Int8Array<ArrayBufferLike>
  | Uint16Array<ArrayBufferLike>
  | Int16Array<ArrayBufferLike>
  | HalfArray
  | Uint32Array<ArrayBufferLike>
  | Int32Array<ArrayBufferLike>
  | Float32Array<ArrayBufferLike>
  | BigUint64Array<ArrayBufferLike>
  | BigInt64Array<ArrayBufferLike>
  | Float64Array<ArrayBufferLike>;

/** A tensor to write. */
export interface TensorToWrite {
  /** Default: the array's own. Bits need it: F16 or BF16 for a Uint16Array, BOOL for a Uint8Array. */
  readonly dtype?: Dtype | undefined;
  readonly shape: readonly number[];
  readonly data: AnyArray;
}

interface Checked {
  readonly name: string;
  readonly dtype: Dtype;
  readonly shape: readonly number[];
  readonly bytes: Uint8Array;
}

/**
 * The bytes of a safetensors file.
 *
 * Throws    KindError, ShapeError
 * @example  import { readSafetensors, writeSafetensors } from "dpo-kernels/train";
 *           const file = writeSafetensors({ head: { shape: [2, 2], data: Float32Array.of(1, 2, 3, 4) } }, { step: "7" });
 *           const { tensors, metadata } = readSafetensors(file);
 */
export function writeSafetensors(
  tensors: Readonly<Record<string, TensorToWrite>>,
  metadata?: Readonly<Record<string, string>>,
): Uint8Array<ArrayBuffer> {
  const checked = Object.entries(copyRecord(tensors, "tensors")).map(([name, tensor]) => check(name, tensor));
  checked.sort((a, b) => bytesPerElement(b.dtype) - bytesPerElement(a.dtype) || (a.name < b.name ? -1 : 1));
  // By entries: assignment to `__proto__` would write nothing.
  const header: [string, unknown][] = metadata === undefined ? [] : [["__metadata__", checkStrings(metadata)]];
  let end = 0;
  for (const { name, dtype, shape, bytes } of checked) {
    header.push([name, { dtype, shape, data_offsets: [end, end + bytes.length] }]);
    end += bytes.length;
  }
  const text = new TextEncoder().encode(JSON.stringify(Object.fromEntries(header)));
  const size = Math.ceil(text.length / 8) * 8;
  const file = new Uint8Array(8 + size + end);
  new DataView(file.buffer).setBigUint64(0, BigInt(size), true);
  file.fill(0x20, 8, 8 + size).set(text, 8);
  let at = 8 + size;
  for (const { bytes } of checked) {
    file.set(bytes, at);
    at += bytes.length;
  }
  return file;
}

function check(name: string, given: unknown): Checked {
  checkText(name, "a tensor's name");
  if (name === "__metadata__") throw new KindError("tensors: expected no tensor of the name __metadata__, got one");
  const { dtype, shape, data } = copyRecord(given, quoted(name)) as Partial<TensorToWrite>;
  const kind = arrayKind(data);
  const type = dtype ?? dtypeOfKind(kind);
  if (type === undefined || !isDtype(type) || !fits(type, kind)) {
    const what = dtype === undefined ? "a typed array" : `an array that holds ${quoted(String(dtype))}`;
    throw wrongKind(`${quoted(name)}: data`, what, data);
  }
  const array = data as AnyArray;
  if (!Array.isArray(shape) || !shape.every((size) => Number.isSafeInteger(size) && size >= 0)) {
    throw wrongKind(`${quoted(name)}: shape`, "a list of sizes", shape);
  }
  const count = shape.reduce((product, size) => product * size, 1);
  if (count !== lengthOf(array)) {
    throw wrongLength(quoted(name), `${count} elements of data`, lengthOf(array));
  }
  return { name, dtype: type, shape, bytes: new Uint8Array(bufferOf(array), offsetOf(array), bytesOf(array)) };
}

function checkStrings(given: Readonly<Record<string, string>>): Record<string, unknown> {
  const metadata = copyRecord(given, "metadata");
  for (const [name, value] of Object.entries(metadata)) {
    checkText(name, "a name in metadata");
    checkText(value, `metadata.${printable(name)}`);
  }
  return metadata;
}

// Halves of surrogate pairs are no text that UTF-8 could write.
function checkText(value: unknown, what: string): void {
  if (typeof value === "string" && !/\p{Cs}/u.test(value)) return;
  throw new KindError(`${what}: expected well-formed text, got ${shown(value)}`);
}

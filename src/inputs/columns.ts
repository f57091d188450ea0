// Arrays with one number of each pair, or of each row: their kinds, that they are of one length, what their numbers may be.

import { outOfRange, wrongKind, wrongLength } from "../checks/refusals.ts";
import { bufferOf, canStray, findNumber, lengthOf, refuseStray } from "../checks/views.ts";
import { ParamError } from "../errors.ts";
import type { Column } from "../losses/kinds.ts";
import { arrayKind } from "../messages.ts";
import type { FloatArray, LengthArray, PairLogps } from "../types.ts";

/** 1 where a row is desirable, 0 where it is not. */
export type Labels = Uint8Array<ArrayBufferLike>;

/** Any array of a column. */
export type Numbers = LengthArray | Labels;

export const floatKinds: readonly string[] = ["Float32Array", "Float64Array"];
const lengthKinds: readonly string[] = [...floatKinds, "Int32Array", "Uint32Array", "BigInt64Array"];

/** An array of a call, and whether the call needs it whatever the loss. */
export interface CheckedColumn {
  readonly name: string;
  readonly kinds: readonly string[];
  readonly always: boolean;
}

/** The kinds of a column's array. */
export const kindsOf = (of: Column["of"] | "labels"): readonly string[] =>
  of === "lengths" ? lengthKinds : of === "labels" ? ["Uint8Array"] : floatKinds;

/** How many numbers an input on a device has; undefined for one on the host. Throws    KindError, ParamError, ShapeError */
export type DeviceLength = (input: unknown, name: string) => number | undefined;

export const noDevice: DeviceLength = () => undefined;

/**
 * Checks that the arrays are of their kinds and of one length, and gives it. `buffers` take those of the columns that lie here; one
 * look at each, and none where nobody asks: the getter is what a call of a few pairs spends its time on.
 *
 * Throws    KindError, ShapeError
 */
export function checkColumns(
  given: Readonly<Record<string, unknown>>,
  columns: readonly CheckedColumn[],
  unit: string,
  deviceLength: DeviceLength,
  buffers: (object | undefined)[] | undefined,
): number {
  const needsBuffers = buffers !== undefined || canStray();
  let count: number | undefined;
  for (const { name, kinds, always } of columns) {
    const array = given[name];
    if (array === undefined) {
      if (always) throw wrongKind(name, `a ${kinds.join(" or ")}`, array);
      buffers?.push(undefined);
      continue;
    }
    const onDevice = deviceLength(array, name);
    const length = onDevice ?? hostLength(array, name, kinds);
    count ??= length;
    if (length !== count) {
      throw wrongLength(name, `${count} values (${unit}s)`, length);
    }
    const buffer = needsBuffers && onDevice === undefined ? bufferOf(array as ArrayBufferView) : undefined;
    buffers?.push(buffer);
    if (buffer) refuseStray(array as ArrayBufferView, name, buffer);
  }
  if (!count) throw wrongLength(columns[0]?.name as string, `at least one ${unit}`, 0);
  return count;
}

/** The length of an array of one of these kinds. Throws    KindError */
export function hostLength(array: unknown, name: string, kinds: readonly string[]): number {
  if (kinds.includes(arrayKind(array))) return lengthOf(array as ArrayBufferView);
  throw wrongKind(name, `a ${kinds.join(" or ")}`, array);
}

/** Checks an array's kind, its length and that it lies where arrays may. Throws    KindError, ShapeError */
export function checkFloats(array: unknown, name: string, length: number, unit = ""): asserts array is FloatArray {
  const got = hostLength(array, name, floatKinds);
  if (got !== length) throw wrongLength(name, `${length} values${unit}`, got);
  const floats = array as FloatArray;
  refuseStray(floats, name, bufferOf(floats));
}

/** Lengths given as bigints in numbers. Throws    ShapeError where they lie in a backend's memory that was not handed out */
export function inNumbers(lengths: PairLogps["chosenLengths"], name: string): LengthArray | undefined {
  if (!isBigInts(lengths)) return lengths;
  refuseStray(lengths, name, bufferOf(lengths));
  const numbers = new Float64Array(lengthOf(lengths));
  for (let i = 0; i < numbers.length; i++) numbers[i] = Number(lengths[i]);
  return numbers;
}

const isBigInts = (array: PairLogps["chosenLengths"]): array is BigInt64Array =>
  array !== undefined && arrayKind(array) === "BigInt64Array";

/** The least value and the sum of an array; a NaN shows in the sum. */
export type Scan = (values: LengthArray) => { readonly least: number; readonly sum: number };

/** The scan in plain JavaScript, in float64. */
export const scanValues: Scan = (values) => {
  let least = Infinity;
  let sum = 0;
  const n = lengthOf(values);
  for (let i = 0; i < n; i++) {
    const value = values[i] as number;
    if (value < least) least = value;
    sum += value;
  }
  return { least, sum };
};

/** Lengths are checked always: a NaN or a negative one would divide silently. Throws    ParamError */
export function checkLengths(given: unknown, name: string, scan: Scan): ReturnType<Scan> | undefined {
  if (!ArrayBuffer.isView(given)) return undefined;
  const lengths = given as LengthArray;
  const result = scan(lengths);
  if (result.least >= 0 && result.sum < Infinity) return result;
  const at = findNumber(lengths, (length) => !(length >= 0 && length < Infinity));
  throw outOfRange(`${name}[${at}]`, "tokens ≥ 0", lengths[at]);
}

/** Refuses NaN and infinities. Throws    ParamError ("not-finite") */
export function checkFiniteColumns(given: Readonly<Record<string, unknown>>, names: readonly string[]): void {
  for (const name of names) {
    const array = given[name] as FloatArray | undefined;
    const at = array ? findNumber(array, (value) => !Number.isFinite(value)) : -1;
    if (at < 0) continue;
    throw new ParamError("not-finite", `${name}[${at}]: expected a finite number, got ${array?.[at]}`);
  }
}

/** The refusal of an input that `user` cannot do without. */
export const missing = (name: string, user: string): ParamError =>
  new ParamError("missing-input", `${name}: expected with ${user}, got nothing`);

// The element types of safetensors, and the typed array that each is read into.

/** Those whose numbers an array holds as such; then those that JavaScript has no numbers for, as their bits. */
const arrays = {
  U8: Uint8Array,
  I8: Int8Array,
  U16: Uint16Array,
  I16: Int16Array,
  U32: Uint32Array,
  I32: Int32Array,
  F32: Float32Array,
  U64: BigUint64Array,
  I64: BigInt64Array,
  F64: Float64Array,
  F16: Uint16Array,
  BF16: Uint16Array,
  BOOL: Uint8Array,
  F8_E4M3: Uint8Array,
  F8_E5M2: Uint8Array,
} as const;

export type Dtype = keyof typeof arrays;

/** The typed array that a tensor of this type is read into: the bits of F16, BF16 and eight-bit floats. */
export type DataOf<D extends Dtype> = InstanceType<(typeof arrays)[D]>;

/** A tensor, row-major. */
export interface SafeTensor<D extends Dtype = Dtype> {
  readonly dtype: D;
  readonly shape: readonly number[];
  readonly data: DataOf<D>;
}

export const dtypes = Object.keys(arrays) as readonly Dtype[];

export const isDtype = (name: string): name is Dtype => Object.hasOwn(arrays, name);

export const bytesPerElement = (dtype: Dtype): number => arrays[dtype].BYTES_PER_ELEMENT;

/** The array of a tensor over these bytes: a view where their place allows one, else a copy. */
export function arrayOver(dtype: Dtype, bytes: Uint8Array): DataOf<Dtype> {
  const ArrayType = arrays[dtype];
  const { buffer, byteOffset, byteLength } = byteOffsetFits(bytes, ArrayType.BYTES_PER_ELEMENT) ? bytes : bytes.slice();
  return new ArrayType(buffer as ArrayBuffer, byteOffset, byteLength / ArrayType.BYTES_PER_ELEMENT);
}

const byteOffsetFits = ({ byteOffset }: Uint8Array, size: number): boolean => byteOffset % size === 0;

/** The type of an array of this class whose tensor names none; undefined where there is none. */
export const dtypeOfKind = (kind: string): Dtype | undefined => dtypes.find((dtype) => fits(dtype, kind));

/** Whether an array of this class can hold elements of this type. */
export const fits = (dtype: Dtype, kind: string): boolean =>
  arrays[dtype].name === kind || (dtype === "F16" && kind === "Float16Array");

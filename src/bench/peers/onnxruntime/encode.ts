// Writes the few fields of ONNX's protobuf format that the graphs need, so that the benchmark requires neither Python nor a protobuf
// package. Field numbers are those of `onnx.proto`.

export interface Node {
  readonly op: string;
  readonly inputs: readonly string[];
  readonly output: string;
  readonly attributes?: Readonly<Record<string, number | string>>;
}

/** A graph over float32 tensors: the shape of every input and output, by name. */
export interface Graph {
  readonly nodes: readonly Node[];
  readonly inputs: Readonly<Record<string, readonly number[]>>;
  /** Which of the inputs are int64 instead: ids. */
  readonly ids?: readonly string[];
  readonly outputs: Readonly<Record<string, readonly number[]>>;
  /** A number is a float32 scalar, a list is a vector of int64. */
  readonly constants: Readonly<Record<string, number | readonly bigint[]>>;
}

const IR_VERSION = 8;
const OPSET = 17;
const FLOAT = 1;
const INT64 = 7;
const ATTRIBUTE_INT = 2;
const ATTRIBUTE_STRING = 3;

export function encodeModel({ nodes, inputs, ids = [], outputs, constants }: Graph): Uint8Array {
  const graph = [
    ...nodes.map(({ op, inputs, output, attributes = {} }) =>
      bytes(1, [
        ...inputs.map((name) => text(1, name)),
        text(2, output),
        text(4, op),
        ...Object.entries(attributes).map(([name, value]) => bytes(5, attribute(name, value))),
      ]),
    ),
    text(2, "graph"),
    ...Object.entries(constants).map(([name, value]) => bytes(5, constant(name, value))),
    ...Object.entries(inputs).map(([name, shape]) =>
      bytes(11, valueInfo(name, shape, ids.includes(name) ? INT64 : FLOAT)),
    ),
    ...Object.entries(outputs).map(([name, shape]) => bytes(12, valueInfo(name, shape, FLOAT))),
  ];
  return concat([integer(1, IR_VERSION), bytes(7, graph), bytes(8, [text(1, ""), integer(2, OPSET)])]);
}

function attribute(name: string, value: number | string): Uint8Array[] {
  return typeof value === "number"
    ? [text(1, name), integer(3, value), integer(20, ATTRIBUTE_INT)]
    : [text(1, name), text(4, value), integer(20, ATTRIBUTE_STRING)];
}

function constant(name: string, value: number | readonly bigint[]): Uint8Array[] {
  return typeof value === "number"
    ? [integer(2, FLOAT), text(8, name), bytes(9, [raw(Float32Array.of(value))])]
    : [integer(1, value.length), integer(2, INT64), text(8, name), bytes(9, [raw(BigInt64Array.from(value))])];
}

function valueInfo(name: string, shape: readonly number[], type: number): Uint8Array[] {
  const dims = shape.map((size) => bytes(1, [integer(1, size)]));
  return [text(1, name), bytes(2, [bytes(1, [integer(1, type), bytes(2, dims)])])];
}

const integer = (field: number, value: number) => Uint8Array.from([...varint(field << 3), ...varint(value)]);

const text = (field: number, value: string) => bytes(field, [new TextEncoder().encode(value)]);

function bytes(field: number, parts: Uint8Array[]): Uint8Array {
  const body = concat(parts);
  return concat([Uint8Array.from([...varint((field << 3) | 2), ...varint(body.length)]), body]);
}

function varint(value: number): number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...varint(value >>> 7)];
}

const raw = (numbers: Float32Array | BigInt64Array) => new Uint8Array(numbers.buffer);

const concat = (parts: Uint8Array[]) => Uint8Array.from(parts.flatMap((part) => [...part]));

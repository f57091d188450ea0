/**
 * The few fields of ONNX's protobuf format that an element-wise graph needs, written by hand, so that a benchmark asks for
 * neither Python nor a protobuf package. Field numbers are those of `onnx.proto`.
 */
export interface Node {
  op: string;
  inputs: string[];
  output: string;
}

/** A graph over float32 tensors: the shape of every input and output, by name; constants are scalars. */
export interface Graph {
  nodes: Node[];
  inputs: Record<string, number[]>;
  outputs: Record<string, number[]>;
  constants: Record<string, number>;
}

const IR_VERSION = 8;
const OPSET = 17;
const FLOAT = 1;

export function encodeModel({ nodes, inputs, outputs, constants }: Graph): Uint8Array {
  const graph = [
    ...nodes.map(({ op, inputs, output }) =>
      bytes(1, [...inputs.map((name) => text(1, name)), text(2, output), text(4, op)]),
    ),
    text(2, "graph"),
    ...Object.entries(constants).map(([name, value]) =>
      bytes(5, [integer(2, FLOAT), text(8, name), bytes(9, [float32(value)])]),
    ),
    ...Object.entries(inputs).map(([name, shape]) => bytes(11, valueInfo(name, shape))),
    ...Object.entries(outputs).map(([name, shape]) => bytes(12, valueInfo(name, shape))),
  ];
  return concat([integer(1, IR_VERSION), bytes(7, graph), bytes(8, [text(1, ""), integer(2, OPSET)])]);
}

function valueInfo(name: string, shape: number[]): Uint8Array[] {
  const dims = shape.map((size) => bytes(1, [integer(1, size)]));
  return [text(1, name), bytes(2, [bytes(1, [integer(1, FLOAT), bytes(2, dims)])])];
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

const float32 = (value: number) => new Uint8Array(Float32Array.of(value).buffer);

const concat = (parts: Uint8Array[]) => Uint8Array.from(parts.flatMap((part) => [...part]));

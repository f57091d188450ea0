// A language model of two matrices as an ONNX file, written by hand so that the example needs no exporter: the few fields
// of ONNX's protobuf format that it takes. Field numbers are those of `onnx.proto`.

const elementTypes = { float32: 1, float16: 10, int64: 7 };

export interface Weights {
  /** [V·D] */
  embedding: Float32Array<ArrayBuffer>;
  /** [D·V] */
  head: Float32Array<ArrayBuffer>;
  dim: number;
  vocab: number;
}

/** input_ids int64 [rows, length] → logits [rows, length, V] = embedding[input_ids] · head. */
export function encodeModel({ embedding, head, dim, vocab }: Weights, type: "float32" | "float16"): Uint8Array {
  const graph = [
    node("Gather", ["embedding", "input_ids"], "hidden"),
    node("MatMul", ["hidden", "head"], "scores"),
    node("Cast", ["scores"], "logits", [message(5, [text(1, "to"), integer(3, elementTypes[type]), integer(20, 2)])]),
    text(2, "graph"),
    tensor("embedding", embedding, [vocab, dim]),
    tensor("head", head, [dim, vocab]),
    message(11, valueInfo("input_ids", "int64", ["rows", "length"])),
    message(12, valueInfo("logits", type, ["rows", "length", vocab])),
  ];
  const opset = message(8, [text(1, ""), integer(2, 17)]);
  return concat([integer(1, 8), message(7, graph), opset]);
}

const node = (op: string, inputs: string[], output: string, attributes: Uint8Array[] = []): Uint8Array =>
  message(1, [...inputs.map((name) => text(1, name)), text(2, output), text(4, op), ...attributes]);

const tensor = (name: string, values: Float32Array<ArrayBuffer>, dims: number[]): Uint8Array =>
  message(5, [
    ...dims.map((size) => integer(1, size)),
    integer(2, elementTypes.float32),
    text(8, name),
    message(9, [new Uint8Array(values.buffer)]),
  ]);

function valueInfo(name: string, type: keyof typeof elementTypes, dims: (number | string)[]): Uint8Array[] {
  const shape = dims.map((size) => message(1, [typeof size === "number" ? integer(1, size) : text(2, size)]));
  return [text(1, name), message(2, [message(1, [integer(1, elementTypes[type]), message(2, shape)])])];
}

const integer = (field: number, value: number): Uint8Array =>
  Uint8Array.from([...varint(field << 3), ...varint(value)]);

const text = (field: number, value: string): Uint8Array => message(field, [new TextEncoder().encode(value)]);

function message(field: number, parts: Uint8Array[]): Uint8Array {
  const body = concat(parts);
  return concat([Uint8Array.from([...varint((field << 3) | 2), ...varint(body.length)]), body]);
}

const varint = (value: number): number[] => (value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...varint(value >>> 7)]);

const concat = (parts: Uint8Array[]): Uint8Array => Uint8Array.from(parts.flatMap((part) => [...part]));

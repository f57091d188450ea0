// Safetensors bodies: tensors by the names that JSON has, dots between those of fields within fields; scalars and options as text in
// the metadata.

import { KindError } from "../errors.ts";
import { arrayKind } from "../messages.ts";
import type { SafeTensor } from "../safetensors/dtypes.ts";
import { readSafetensors, type SafetensorsFile } from "../safetensors/read.ts";
import { type TensorToWrite, writeSafetensors } from "../safetensors/write.ts";
import { type Fields, isValue } from "./fields.ts";

/** What a body holds, and how its tensors were shaped, by name. */
export interface TensorBody {
  readonly record: Record<string, unknown>;
  readonly shapes: Readonly<Record<string, readonly number[]>>;
}

/** Throws    KindError, ShapeError, ParamError: of readSafetensors; a name that stands twice */
export function readTensors(bytes: Uint8Array, fields: Fields): TensorBody {
  const { tensors, metadata }: SafetensorsFile = readSafetensors(bytes);
  const record: Record<string, unknown> = Object.create(null);
  const shapes: Record<string, readonly number[]> = Object.create(null);
  for (const [name, tensor] of Object.entries(tensors)) {
    put(record, name, toInput(tensor), fields);
    shapes[name] = tensor.shape;
  }
  for (const [name, text] of Object.entries(metadata)) {
    // What torch writes of itself.
    if (name !== "format") put(record, name, toScalar(text), fields);
  }
  return { record, shapes };
}

/** Floats whose bits alone JavaScript has are named as the library names them. */
function toInput({ dtype, data }: SafeTensor): unknown {
  if (dtype === "F16") return { f16: data };
  return dtype === "BF16" ? { bf16: data } : data;
}

/** A number, a list, true, false as JSON has them; any other text is a word. */
function toScalar(text: string): unknown {
  try {
    const value: unknown = JSON.parse(text);
    return value === null ? undefined : value;
  } catch {
    return text;
  }
}

function put(record: Record<string, unknown>, path: string, value: unknown, fields: Fields): void {
  let [at, known, name] = [record, fields, path];
  for (;;) {
    const dot = name.indexOf(".");
    const head = name.slice(0, dot);
    const field = dot > 0 && Object.hasOwn(known, head) ? known[head] : undefined;
    if (field === undefined || isValue(field)) break;
    const inner = at[head] ?? Object.create(null);
    at[head] = inner;
    at = inner as Record<string, unknown>;
    known = field.fields;
    name = name.slice(dot + 1);
  }
  if (name in at) throw new KindError(`${path}: expected once, got it as a tensor and in the metadata`);
  at[name] = value;
}

/** Which input a result has the shape of, by its name; the first that came. */
const likeness: Readonly<Record<string, readonly string[]>> = {
  gradLogits: ["logits"],
  gradHidden: ["hidden"],
  gradWeight: ["weight"],
  gradBias: ["bias"],
  gradA: ["lora.a"],
  gradB: ["lora.b"],
  tokenLogps: ["tokens.inputIds", "tokens.targets"],
  logsumexp: ["tokens.inputIds", "tokens.targets"],
  entropy: ["tokens.inputIds", "tokens.targets"],
};

/**
 * A result as safetensors. Numbers are in the metadata, and tensors without dimensions too, since Python's `load` gives no metadata.
 */
export function writeResult(result: object, shapes: TensorBody["shapes"]): Uint8Array<ArrayBuffer> {
  const tensors: Record<string, TensorToWrite> = Object.create(null);
  const metadata: Record<string, string> = Object.create(null);
  const putNumber = (name: string, value: number): void => {
    tensors[name] = { shape: [], data: Float64Array.of(value) };
    metadata[name] = String(value);
  };
  for (const [name, value] of Object.entries(result)) {
    if (typeof value === "number") putNumber(name, value);
    else if (name === "metrics") {
      for (const [key, metric] of Object.entries(value)) putNumber(`metrics.${key}`, metric as number);
    } else tensors[name] = toTensor(value, likeness[name]?.map((like) => shapes[like]).find(Boolean));
  }
  return writeSafetensors(tensors, metadata);
}

function toTensor(value: object, like: readonly number[] | undefined): TensorToWrite {
  const [dtype, data] =
    arrayKind(value) !== ""
      ? [undefined, value as Float32Array]
      : "f16" in value
        ? (["F16", value.f16 as Uint16Array] as const)
        : (["BF16", (value as { bf16: Uint16Array }).bf16] as const);
  const isAlike = like?.reduce((product, size) => product * size, 1) === data.length;
  return { dtype, data, shape: isAlike ? (like as readonly number[]) : [data.length] };
}

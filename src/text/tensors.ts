// What a model gives: tensors of ONNX Runtime, on the CPU or a GPU, or plain arrays, as calls take them.

import { isList } from "../checks/lists.ts";
import { lengthOf } from "../checks/views.ts";
import { KindError, ShapeError } from "../errors.ts";
import { arrayKind, isRecord, kindOf, shown } from "../messages.ts";
import type { Floats } from "../types.ts";
import type { ModelBatch, ModelTensor } from "./scorer-types.ts";

/** Rows of numbers of a batch. */
export interface Values {
  /** A typed array, or a buffer where the backend's own GPU has it. */
  readonly floats: Floats;
  /** Numbers of a row: V, or D. */
  readonly width: number;
  /** The position at which the rows of each sequence begin. */
  readonly from: number;
}

interface GpuTensor extends ModelTensor {
  readonly gpuBuffer?: unknown;
  getData?(): Promise<unknown>;
}

const types: Readonly<Record<string, "f32" | "f16">> = { float32: "f32", float16: "f16" };

/** Whether it is a tensor, of whatever library. */
export const isTensor = (value: unknown): value is ModelTensor =>
  typeof value === "object" && value !== null && !ArrayBuffer.isView(value) && "dims" in value && "type" in value;

/**
 * The numbers that a model gave for a batch: [rows, K, width], of the last K positions; `width` is what is known of it beforehand.
 *
 * Throws    KindError for what is no tensor of float32 or float16; ShapeError for dimensions that are not those of the batch
 */
export async function readValues(
  given: unknown,
  name: string,
  batch: ModelBatch,
  width: number | undefined,
  isOnGpu: boolean,
): Promise<Values> {
  const { floats, count, last } = isTensor(given) ? await ofTensor(given, name, isOnGpu) : ofArray(given, name, width);
  if (width !== undefined && last !== width) {
    throw new ShapeError("wrong-length", `${name}: expected rows of ${width} numbers, got ${last}`);
  }
  const positions = count / last / batch.rows;
  const from = batch.length - positions;
  if (Number.isInteger(positions) && from >= 0 && from <= batch.logitsFrom) return { floats, width: last, from };
  const expected = `expected [${batch.rows}, ${batch.length}, ${last}], or the last ${batch.length - batch.logitsFrom} positions of these or more`;
  const got = isTensor(given) ? `[${given.dims.join(", ")}]` : `${count} numbers`;
  throw new ShapeError("wrong-length", `${name}: ${expected}, got ${got}`);
}

async function ofTensor(tensor: GpuTensor, name: string, isOnGpu: boolean) {
  const { type, location, dims } = tensor;
  const element = Object.hasOwn(types, type) ? types[type] : undefined;
  if (element === undefined) throw new KindError(`${name}: expected float32 or float16, got ${shown(type)}`);
  if (!isList(dims) || !dims.every((size) => typeof size === "number") || dims.length < 2) {
    throw new KindError(`${name}: expected a tensor with two dimensions or more, got ${kindOf(dims)}`);
  }
  const size = { count: dims.reduce((product, n) => product * n, 1), last: dims.at(-1) as number };
  if (location === "gpu-buffer" && isOnGpu) {
    // WebGPU takes it where it lies: its calls know such arrays, of which the types of the others say nothing.
    return { ...size, floats: { buffer: tensor.gpuBuffer, type: element } as unknown as Floats };
  }
  const isHere = location === undefined || location.startsWith("cpu");
  const data = isHere ? tensor.data : await tensor.getData?.();
  const isBits = element === "f16" && arrayKind(data) === "Uint16Array";
  return { ...size, floats: isBits ? { f16: data as Uint16Array } : (data as Floats) };
}

function ofArray(given: unknown, name: string, width: number | undefined) {
  const data = isRecord(given) ? Object.values(given)[0] : given;
  if (!ArrayBuffer.isView(data) || data instanceof DataView) {
    throw new KindError(`${name}: expected a tensor or a typed array of floats, got ${kindOf(given)}`);
  }
  if (width === undefined) throw new KindError(`vocab: expected with a model that gives plain arrays, got nothing`);
  return { floats: given as Floats, count: lengthOf(data), last: width };
}

// Reads an adapter that PEFT or `writeAdapter` has written. Both files come from anywhere, and have to say the same.

import { quoted } from "../../checks/printable.ts";
import { recordOf } from "../../checks/record.ts";
import { outOfRange, unusedOption, wrongKind, wrongLength } from "../../checks/refusals.ts";
import { KindError, ParamError } from "../../errors.ts";
import { decodeFloats, readFloats } from "../../inputs/floats.ts";
import { arrayKind } from "../../messages.ts";
import type { SafeTensor } from "../../safetensors/dtypes.ts";
import { readSafetensors } from "../../safetensors/read.ts";
import type { Floats } from "../../types.ts";
import { readConfig } from "./config.ts";
import { type Adapter, checkModule, namesOf, PREFIX } from "./types.ts";

/** The same, as one has them: of a folder's files, a text may be its bytes. */
export interface AdapterFilesToRead {
  readonly "adapter_model.safetensors": Uint8Array | ArrayBuffer;
  readonly "adapter_config.json": string | Uint8Array;
}

const readFiles = recordOf<AdapterFilesToRead>({ what: "files", field: "a file of an adapter", prefix: "" }, [
  "adapter_model.safetensors",
  "adapter_config.json",
]);

/**
 * The LoRA of a head in PEFT's files, its arrays float32 and their own; rsLoRA is a matter of `scale`. What another function of these
 * tensors would need (DoRA, `modules_to_save`, other modules, …) is refused.
 *
 * Throws    KindError, ShapeError, ParamError; as readSafetensors for what is no such file
 * @example  import { readAdapter, writeAdapter } from "dpo-kernels/train";
 *           const lora = { a: new Float32Array(2 * 3), b: new Float32Array(4 * 2), rank: 2, scale: 2 };
 *           const read = readAdapter(writeAdapter({ lora }));
 *           console.log(read.vocab, read.hiddenSize, read.lora.scale); // 4, 3, 2
 */
export function readAdapter(files: AdapterFilesToRead): Adapter {
  const { "adapter_model.safetensors": model, "adapter_config.json": text } = readFiles(files);
  const { rank, scale, dropout, baseModel, targets } = readConfig(textOf(text));
  const { tensors } = readSafetensors(model);
  const module = moduleOf(Object.keys(tensors));
  if (!targets(module)) {
    throw unusedOption("target_modules", `expected ${quoted(module)}, which has tensors, among them`);
  }
  const names = namesOf(module);
  const [hiddenSize, vocab] = [sizeOf(tensors, names.a, 1), sizeOf(tensors, names.b, 0)];
  const shapes = { [names.a]: [rank, hiddenSize], [names.b]: [vocab, rank] };
  for (const [name, { shape }] of Object.entries(tensors)) {
    checkShape(name, shape, shapes[name] ?? [vocab, hiddenSize]);
  }
  const weight = tensors[names.weight];
  return {
    lora: { a: numbersOf(tensors, names.a), b: numbersOf(tensors, names.b), rank, scale },
    ...{ vocab, hiddenSize, dropout, baseModel, module },
    ...(weight && { weight: floatsOf(weight, names.weight) }),
  };
}

type Tensors = Readonly<Record<string, SafeTensor>>;

function textOf(file: unknown): string {
  if (typeof file === "string") return file;
  if (arrayKind(file) !== "Uint8Array") {
    throw wrongKind("adapter_config.json", "text or its bytes", file);
  }
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(Uint8Array.from(file as Uint8Array));
  } catch (cause) {
    throw new KindError("adapter_config.json: expected UTF-8, got other bytes", { cause });
  }
}

/**
 * The one module that has an adapter. PEFT saves the embeddings along with an adapter of the head: weights of a module as such, which
 * are the base model's own.
 */
function moduleOf(names: readonly string[]): string {
  const [found] = names.filter((name) => name.startsWith(PREFIX) && name.endsWith(".lora_A.weight"));
  if (found === undefined) {
    throw new ParamError("missing-input", `tensors: expected ${quoted(`${PREFIX}….lora_A.weight`)}, got none`);
  }
  const module = found.slice(PREFIX.length, -".lora_A.weight".length);
  checkModule(module);
  const { a, b } = namesOf(module);
  const other = names.find((name) => name !== a && name !== b && !isBaseWeight(name));
  if (other === undefined) return module;
  throw unusedOption("tensors", `expected an adapter of ${quoted(module)} alone, got ${quoted(other)}`);
}

const isBaseWeight = (name: string): boolean =>
  name.startsWith(PREFIX) && name.endsWith(".weight") && !/\.(lora_\w+|modules_to_save)\./.test(name);

function sizeOf(tensors: Tensors, name: string, axis: 0 | 1): number {
  const tensor = tensors[name];
  if (!tensor) throw new ParamError("missing-input", `tensors: expected ${quoted(name)}, got none`);
  return tensor.shape[axis] ?? 0;
}

function checkShape(name: string, shape: readonly number[], expected: readonly number[]): void {
  const product = expected.reduce((count, size) => count * size, 1);
  if (product > 0 && shape.length === 2 && shape.every((size, i) => size === expected[i])) return;
  const got = `[${shape.slice(0, 8).join(", ")}${shape.length > 8 ? ", …" : ""}]`;
  throw wrongLength(quoted(name), `the shape [${expected.join(", ")}]`, got);
}

function numbersOf(tensors: Tensors, name: string): Float32Array<ArrayBuffer> {
  const tensor = tensors[name] as SafeTensor;
  const numbers = new Float32Array(tensor.data.length);
  decodeFloats(readFloats(floatsOf(tensor, name), name, numbers.length), 0, numbers);
  return numbers;
}

/** A tensor as calls take it. */
function floatsOf({ dtype, data }: SafeTensor, name: string): Floats {
  if (dtype === "F32") return data as Float32Array;
  if (dtype === "F16") return { f16: data as Uint16Array };
  if (dtype === "BF16") return { bf16: data as Uint16Array };
  throw outOfRange(`${quoted(name)}: dtype`, "F32, F16 or BF16", dtype);
}

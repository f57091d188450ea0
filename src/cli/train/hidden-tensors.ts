// The tensors of a file of hidden states, each looked at once: names, element types, shapes.

import { printable } from "../../checks/printable.ts";
import type { SafeTensor } from "../../safetensors/dtypes.ts";
import type { SafetensorsFile } from "../../safetensors/read.ts";
import type { TrainHead } from "../../train.ts";
import type { Floats } from "../../types.ts";
import { refusal } from "../refusal.ts";

type Bits = Float32Array | Uint16Array;

/** Floats of one element type, and the array that holds their bits. */
interface States {
  readonly bits: Bits;
  readonly floats: Floats;
  /** As many others of this type. */
  make(count: number): { bits: Bits; floats: Floats };
}

/** Rows of tokens, and the states at them. */
export interface RowTensors {
  /** What the names of their tensors begin with. */
  readonly prefix: "" | "kl_";
  /** T */
  readonly length: number;
  readonly hidden: States;
  readonly inputIds: Int32Array;
  readonly completionMask: Uint8Array;
  readonly attentionMask: Uint8Array | undefined;
  /** One for each row. */
  readonly referenceLogps: Float32Array | Float64Array | undefined;
}

export interface Tensors extends RowTensors {
  readonly rows: number;
  /** The chosen rows first, then the rejected; else rows that `labels` speaks of. */
  readonly isPairs: boolean;
  readonly labels: Uint8Array | undefined;
  /** Of single rows: each prompt with the completion of its mismatched row, for kto. */
  readonly mismatched: RowTensors | undefined;
  readonly head: TrainHead;
  /** How many of the examples are trained on; those behind are for evaluation. */
  forTraining(count: number): number;
}

/** What each tensor may be called, the usual name first. */
const names = {
  hidden: ["hidden", "hidden_states"],
  weight: ["weight", "lm_head.weight", "lm_head"],
  bias: ["bias", "lm_head.bias"],
  inputIds: ["input_ids", "inputIds"],
  completionMask: ["completion_mask", "completionMask"],
  attentionMask: ["attention_mask", "attentionMask"],
  labels: ["labels", "desirable"],
  referenceLogps: ["reference_logps", "ref_logps"],
} as const;

type Key = keyof typeof names;
type Prefix = RowTensors["prefix"];

/** What a tensor may be called; those of mismatched rows have a prefix, in small letters or TRL's. */
function namesOf(key: Key, prefix: Prefix): readonly string[] {
  if (prefix === "") return names[key];
  const prefixed = ["kl_", "KL_"].flatMap((before) => names[key].map((name) => before + name));
  return key === "referenceLogps" ? [...prefixed, "ref_KL_logps", "reference_KL_logps"] : prefixed;
}

const floatTypes = ["F32", "F16", "BF16"];
const bitTypes = ["U8", "BOOL", "I32", "I64"];

/** Throws    a refusal that names file and tensor */
export function openTensors(
  path: string,
  tensors: SafetensorsFile["tensors"],
  metadata: SafetensorsFile["metadata"],
): Tensors {
  const find = (key: Key, types: readonly string[], shape: readonly (number | string)[], prefix: Prefix = "") => {
    const name = namesOf(key, prefix).find((one) => Object.hasOwn(tensors, one));
    const tensor = name === undefined ? undefined : tensors[name];
    if (!tensor || name === undefined) return undefined;
    const where = `${path}: ${name}`;
    if (!types.includes(tensor.dtype)) throw refusal(`${where}: expected ${types.join(", ")}, got ${tensor.dtype}`);
    const fits =
      tensor.shape.length === shape.length &&
      shape.every((size, i) => (typeof size === "number" ? tensor.shape[i] === size : (tensor.shape[i] ?? 0) > 0));
    if (!fits) throw refusal(`${where}: expected the shape [${shape.join(", ")}], got [${tensor.shape.join(", ")}]`);
    return tensor;
  };
  const need = (...args: Parameters<typeof find>): SafeTensor => {
    const tensor = find(...args);
    if (tensor) return tensor;
    const there = Object.keys(tensors).slice(0, 12).map(printable).join(", ");
    throw refusal(`${path}: ${namesOf(args[0], args[3] ?? "")[0]}: missing; the file has ${there || "no tensors"}`);
  };
  const hidden = need("hidden", floatTypes, ["rows", "length", "hiddenSize"]);
  const [rows, length, hiddenSize] = hidden.shape as [number, number, number];
  const weight = need("weight", floatTypes, ["vocab", hiddenSize]);
  const vocab = weight.shape[0] as number;
  const bias = find("bias", floatTypes, [vocab]);
  const labels = find("labels", bitTypes, [rows]);
  const rowTensors = (prefix: Prefix, of: SafeTensor, length: number): RowTensors => {
    const attentionMask = find("attentionMask", bitTypes, [rows, length], prefix);
    return {
      ...{ prefix, length, hidden: statesOf(of) },
      inputIds: Int32Array.from(need("inputIds", ["I32", "I64"], [rows, length], prefix).data, Number),
      completionMask: maskOf(need("completionMask", bitTypes, [rows, length], prefix)),
      attentionMask: attentionMask && maskOf(attentionMask),
      referenceLogps: find("referenceLogps", ["F32", "F64"], [rows], prefix)?.data as RowTensors["referenceLogps"],
    };
  };
  const klHidden = labels && find("hidden", [hidden.dtype], [rows, "length", hiddenSize], "kl_");
  const isPairs = labels === undefined;
  if (isPairs && rows % 2 === 1) {
    throw refusal(`${path}: hidden: expected two rows a pair, the chosen first, got ${rows}; or labels of single rows`);
  }
  return {
    ...{ rows, isPairs },
    ...rowTensors("", hidden, length),
    labels: labels && maskOf(labels),
    mismatched: klHidden && rowTensors("kl_", klHidden, klHidden.shape[1] as number),
    head: {
      ...{ weight: statesOf(weight).floats, vocab, hiddenSize },
      ...(bias && { bias: statesOf(bias).floats }),
      ...numberIn(path, metadata, "logit_scale", "logitScale"),
      ...numberIn(path, metadata, "logit_softcap", "logitSoftcap"),
    },
    forTraining(count) {
      const { trainExamples = count } = numberIn(
        path,
        metadata,
        isPairs ? "train_pairs" : "train_rows",
        "trainExamples",
      );
      if (Number.isInteger(trainExamples) && trainExamples > 0 && trainExamples <= count) return trainExamples;
      throw refusal(`${path}: train_${isPairs ? "pairs" : "rows"}: expected 1..${count}, got ${trainExamples}`);
    },
  };
}

function numberIn<K extends string>(
  path: string,
  metadata: Readonly<Record<string, string>>,
  key: string,
  name: K,
): { [N in K]?: number } {
  const text = metadata[key];
  if (text === undefined) return {};
  const value = Number(text);
  if (text.trim() === "" || !Number.isFinite(value)) throw refusal(`${path}: ${key}: expected a number, got text`);
  return { [name]: value } as { [N in K]?: number };
}

// 1 where a number is not 0, whatever its type.
const maskOf = ({ data }: SafeTensor): Uint8Array =>
  Uint8Array.from(data as Uint8Array, (bit) => Number(Number(bit) !== 0));

/** A tensor of floats as calls take them. */
export function statesOf({ dtype, data }: SafeTensor): States {
  const make = (bits: Bits) => ({ bits, floats: floatsOf(dtype, bits) });
  const own = make(data as Bits);
  return { ...own, make: (count) => make(dtype === "F32" ? new Float32Array(count) : new Uint16Array(count)) };
}

const floatsOf = (dtype: string, bits: Bits): Floats =>
  dtype === "F32"
    ? (bits as Float32Array)
    : dtype === "F16"
      ? { f16: bits as Uint16Array }
      : { bf16: bits as Uint16Array };

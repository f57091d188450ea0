// The inputs of linearLoss, checked once, before anything is computed or written.

import { checkCall, refuseUnused } from "./call-options.ts";
import { KindError, ParamError } from "./errors.ts";
import { type FloatData, readFloats } from "./floats.ts";
import { arrayKind, checkNumber, kindOf, type Plan } from "./plan.ts";
import {
  checkFinite,
  checkFiniteRows,
  checkResults,
  checkWeighting,
  type ReferenceData,
  readGradient,
  readLdAlpha,
  readReference,
  referenceArrays,
} from "./token-call.ts";
import { checkCount, listTokens, type TokenList } from "./tokens.ts";
import type { Floats, LinearBatch, LinearBuffers, LinearLossOptions, LinearReference } from "./types.ts";

/** A checked head and the hidden states before it. */
export interface HeadData {
  readonly width: number;
  readonly hidden: FloatData;
  readonly weight: FloatData;
  readonly bias: FloatData | undefined;
  readonly lora:
    | { readonly a: FloatData; readonly b: FloatData; readonly rank: number; readonly scale: number }
    | undefined;
}

/** A checked call of linearLoss. */
export interface LinearJob {
  readonly list: TokenList;
  readonly vocab: number;
  /** LD-DPO's α; 1 is off. */
  readonly ldAlpha: number;
  readonly wpo: boolean;
  readonly head: HeadData;
  readonly reference: ReferenceData | { readonly head: HeadData } | undefined;
  /** Where the gradients go: as kernels see them, and as the result names them. */
  readonly gradients: Readonly<Partial<Record<keyof LinearBuffers, FloatData>>>;
  readonly results: LinearBuffers;
  readonly accumulate: boolean;
}

/** A gradient, and what it is the gradient of. */
interface Gradient {
  readonly name: keyof LinearBuffers;
  readonly like: Floats;
  readonly input: FloatData;
}

type Batch = LinearBatch & { reference?: LinearReference | undefined };

/**
 * Checks what `linearLoss` is given, and makes the arrays of gradients that were not.
 *
 * Throws    KindError, ShapeError, ParamError, AbortError; nothing has been written then
 */
export function checkLinear(batch: Batch, plan: Plan, options: LinearLossOptions): LinearJob {
  checkCall(options);
  const { gradType = "same", accumulate = false, out, weighting } = options;
  if (typeof accumulate !== "boolean") {
    throw new KindError(`accumulate: expected true or false, got ${kindOf(accumulate)}`);
  }
  refuseUnused(options, ["inPlace"], "linearLoss, which has no logits to write over");
  if (weighting !== undefined) checkWeighting(weighting, plan);
  if (!batch || typeof batch !== "object") throw new KindError(`batch: expected an object, got ${kindOf(batch)}`);
  const { tokens, vocab, hiddenSize } = batch;
  const list = listTokens(tokens, vocab);
  const finite = options.validate === "finite";
  const head = readHead(batch, hiddenSize, "", list, vocab, finite);
  const reference = readReference(batch.reference, plan, list, vocab, finite, (given) => {
    const own = given as LinearBatch;
    return {
      head: readHead({ ...own, lora: undefined }, own.hiddenSize ?? hiddenSize, "reference.", list, vocab, finite),
    };
  });
  const { weight, bias, lora } = batch;
  const wanted: Gradient[] = [{ name: "gradHidden", like: batch.hidden, input: head.hidden }];
  if (lora && head.lora) {
    wanted.push({ name: "gradA", like: lora.a, input: head.lora.a });
    wanted.push({ name: "gradB", like: lora.b, input: head.lora.b });
  } else {
    wanted.push({ name: "gradWeight", like: weight, input: head.weight });
    if (bias && head.bias) wanted.push({ name: "gradBias", like: bias, input: head.bias });
  }
  const results: Record<string, Floats> = {};
  const gradients: Record<string, FloatData> = {};
  for (const { name, like, input } of wanted) {
    const given = out?.[name];
    if (accumulate && name !== "gradHidden" && given === undefined) {
      throw new ParamError("missing-input", `out.${name}: expected with accumulate, got nothing`);
    }
    const { value, data } = readGradient(given, name, like, input, gradType);
    results[name] = value;
    gradients[name] = data;
  }
  const other = reference && "head" in reference ? headArrays(reference.head, "reference.") : {};
  const read = { ...headArrays(head, ""), ...other, ...referenceArrays(reference) };
  checkResults(out, gradients, list, read, { tokens, reference: batch.reference });
  const ldAlpha = readLdAlpha(options);
  const wpo = weighting === "wpo";
  return { list, vocab, ldAlpha, wpo, head, reference, gradients, results: results as LinearBuffers, accumulate };
}

function readHead(
  { hidden, weight, bias, lora }: LinearBatch,
  width: number,
  prefix: string,
  list: TokenList,
  vocab: number,
  finite: boolean,
): HeadData {
  checkCount(width, `${prefix}hiddenSize`);
  const head: HeadData = {
    width,
    hidden: readFloats(hidden, `${prefix}hidden`, list.positions * width),
    weight: readFloats(weight, `${prefix}weight`, vocab * width),
    bias: bias === undefined ? undefined : readFloats(bias, `${prefix}bias`, vocab),
    lora: lora === undefined ? undefined : readLora(lora, width, vocab),
  };
  if (!finite) return head;
  checkFiniteRows(head.hidden, `${prefix}hidden`, list, width);
  for (const [name, floats] of Object.entries(headArrays(head, prefix))) {
    if (name !== `${prefix}hidden`) checkFinite(floats, name, 0, floats.data.length);
  }
  return head;
}

function readLora(lora: NonNullable<LinearBatch["lora"]>, width: number, vocab: number): HeadData["lora"] {
  if (typeof lora !== "object" || lora === null) throw new KindError(`lora: expected an object, got ${kindOf(lora)}`);
  const { a, b, rank, scale } = lora;
  checkCount(rank, "lora.rank");
  checkNumber(scale, "lora.scale");
  for (const [name, array] of Object.entries({ a, b })) {
    if (arrayKind(array) === "Float32Array") continue;
    throw new KindError(`lora.${name}: expected a Float32Array, got ${kindOf(array)}`);
  }
  return { a: readFloats(a, "lora.a", rank * width), b: readFloats(b, "lora.b", vocab * rank), rank, scale };
}

function headArrays({ hidden, weight, bias, lora }: HeadData, prefix: string): Record<string, FloatData> {
  return {
    [`${prefix}hidden`]: hidden,
    [`${prefix}weight`]: weight,
    ...(bias && { [`${prefix}bias`]: bias }),
    ...(lora && { [`${prefix}lora.a`]: lora.a, [`${prefix}lora.b`]: lora.b }),
  };
}

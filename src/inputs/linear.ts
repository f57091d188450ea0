// The inputs of linearLoss, checked once, before anything is computed or written.

import { lossSynonyms } from "../checks/loss-synonyms.ts";
import { checkFlag } from "../checks/numbers.ts";
import { recordOf } from "../checks/record.ts";
import { ParamError } from "../errors.ts";
import type { Plan } from "../plan/plan.ts";
import type { LinearBatch, LinearBuffers, LinearLossOptions, LossInputs, Reference, SequenceTokens } from "../types.ts";
import type { AnyFloats, ArrayReader, FloatData } from "./floats.ts";
import { type AnyHead, type HeadData, headArrays, readHead } from "./head.ts";
import { readLoraFields } from "./lora.ts";
import { checkCall, refuseUnused } from "./options.ts";
import { type OwnColumns, readOwnColumns } from "./own-columns.ts";
import { listPrompts, type PromptTokens } from "./prompts.ts";
import {
  type AnyReference,
  type ReferenceData,
  readReference,
  readReferenceFields,
  referenceArrays,
} from "./reference.ts";
import {
  checkResults,
  checkWeighting,
  type Outs,
  readGradient,
  readLdAlpha,
  readOut,
  tokenArrays,
} from "./token-results.ts";
import { checkRowFields, type RowFields, type RowLabels, readRowFields, unitOf } from "./token-rows.ts";
import { type AnyTokens, listTokens, readSequenceTokens, type TokenList } from "./tokens.ts";
import { readTransform } from "./transform.ts";

/** A checked call of linearLoss. */
export interface LinearJob<F extends AnyFloats = FloatData> extends Outs, HeadGradientArrays<F> {
  readonly list: TokenList;
  readonly vocab: number;
  /** LD-DPO's α; 1 is off. */
  readonly ldAlpha: number;
  readonly wpo: boolean;
  /** Undefined where the tokens are pairs. */
  readonly rows: RowLabels | undefined;
  readonly head: HeadData<F>;
  readonly reference: ReferenceData<F> | undefined;
  readonly columns: OwnColumns;
  /** The tokens that are read, where losses see prompts too. */
  readonly prompts: PromptTokens | undefined;
}

/** A gradient, and what it is the gradient of. */
interface Gradient<F> {
  readonly name: keyof LinearBuffers;
  readonly like: unknown;
  readonly input: F;
}

type Batch = Omit<LinearBatch, "tokens"> & RowFields & LossInputs & { tokens: SequenceTokens };

/** A batch as the caller of any backend gives it. */
export interface AnyLinearBatch extends AnyHead, RowFields {
  readonly tokens: AnyTokens;
  readonly vocab: number;
  readonly hiddenSize: number;
  readonly reference?: AnyReference | undefined;
  readonly rewardMargin?: unknown;
}

const readFields = recordOf<Batch>(
  { what: "batch", field: "a part of the batch", prefix: "batch.", synonyms: lossSynonyms },
  ["tokens", "vocab", "hiddenSize", "hidden", "weight", "bias", "lora", "reference", "rewardMargin", "desirable", "kl"],
);

/** A batch of hidden states, all its fields read once. Throws    KindError, ParamError for names that are none */
export function readLinearBatch(given: unknown): Batch {
  const batch = readFields(given);
  batch.tokens = readSequenceTokens(batch.tokens);
  readRowFields(batch);
  if (batch.reference !== undefined) batch.reference = readReferenceFields(batch.reference) as Reference;
  if (batch.lora !== undefined) batch.lora = readLoraFields(batch.lora);
  return batch;
}

/**
 * Checks what `linearLoss` is given, once it is read, and makes the arrays of gradients that were not.
 *
 * Throws    KindError, ShapeError, ParamError, AbortError; nothing has been written then
 */
export function checkLinear<F extends AnyFloats>(
  reader: ArrayReader<F>,
  batch: AnyLinearBatch,
  plan: Plan,
  options: Omit<LinearLossOptions, "out"> & { out?: object | undefined },
): LinearJob<F> {
  checkCall(options);
  const { weighting } = options;
  refuseUnused(options, ["inPlace"], "linearLoss, which has no logits to write over");
  if (weighting !== undefined) checkWeighting(weighting, plan);
  const { tokens, vocab, hiddenSize } = batch;
  const list = listTokens(reader, tokens, vocab);
  const [rows, rowArrays] = checkRowFields(batch, plan, list, options);
  const finite = options.validate === "finite";
  const transform = readTransform(options);
  const prompts = plan.rowNll === 0 ? undefined : listPrompts(reader, tokens, list, vocab);
  const head = readHead(reader, batch, hiddenSize, "", prompts?.all ?? list, vocab, finite, transform);
  const [reference, logps] = readReference(reader, batch.reference, plan, list, vocab, finite, transform, hiddenSize);
  const { columns, given } = readOwnColumns(batch, plan, list.pairs, finite);
  const out = readOut(options.out, headGradientNames(batch, head), unitOf(batch.tokens));
  const { gradients, results, accumulate } = readHeadGradients(reader, batch, head, options, out);
  const read = { ...headArrays(head, ""), ...referenceArrays(reference) };
  const arrays = { ...tokenArrays(tokens), ...logps, ...given, ...rowArrays };
  const outs = checkResults(out, gradients, list, read, arrays);
  const ldAlpha = readLdAlpha(options);
  const wpo = weighting === "wpo";
  return {
    list,
    vocab,
    ldAlpha,
    wpo,
    rows,
    head,
    reference,
    columns,
    prompts,
    gradients,
    results,
    accumulate,
    ...outs,
  };
}

/** Where the gradients of a head go: as kernels see them, and as the result names them. */
export interface HeadGradientArrays<F extends AnyFloats = FloatData> {
  readonly gradients: Readonly<Partial<Record<keyof LinearBuffers, F>>>;
  readonly results: Readonly<Partial<Record<keyof LinearBuffers, unknown>>>;
  readonly accumulate: boolean;
}

// Those of an adapter, or those of the head, which it freezes.
function wantedOf<F extends AnyFloats>({ hidden, weight, bias, lora }: AnyHead, head: HeadData<F>): Gradient<F>[] {
  const wanted: Gradient<F>[] = [{ name: "gradHidden", like: hidden, input: head.hidden }];
  if (lora && head.lora) {
    wanted.push({ name: "gradA", like: lora.a, input: head.lora.a });
    wanted.push({ name: "gradB", like: lora.b, input: head.lora.b });
    return wanted;
  }
  wanted.push({ name: "gradWeight", like: weight, input: head.weight });
  if (bias && head.bias) wanted.push({ name: "gradBias", like: bias, input: head.bias });
  return wanted;
}

/** The gradients that a head has. */
export const headGradientNames = <F extends AnyFloats>(batch: AnyHead, head: HeadData<F>): string[] =>
  wantedOf(batch, head).map(({ name }) => name);

/** Checks what the options say of them; `out` has been read. Throws    KindError, ShapeError, ParamError */
export function readHeadGradients<F extends AnyFloats>(
  reader: ArrayReader<F>,
  batch: AnyHead,
  head: HeadData<F>,
  { gradType = "same", accumulate = false }: Pick<LinearLossOptions, "gradType" | "accumulate">,
  out: Readonly<Record<string, unknown>>,
): HeadGradientArrays<F> {
  checkFlag(accumulate, "accumulate");
  const results: Record<string, unknown> = {};
  const gradients: Record<string, F> = {};
  for (const { name, like, input } of wantedOf(batch, head)) {
    const given = out[name];
    if (accumulate && name !== "gradHidden" && given === undefined) {
      throw new ParamError("missing-input", `out.${name}: expected with accumulate, got nothing`);
    }
    const { value, data } = readGradient(reader, given, name, like, input, gradType);
    results[name] = value;
    gradients[name] = data;
  }
  return { gradients, results, accumulate };
}

// What the calls with tokens and a loss check alike, wherever their logits come from.

import { lossSynonyms } from "../checks/loss-synonyms.ts";
import { recordOf } from "../checks/record.ts";
import type { Plan } from "../plan/plan.ts";
import type { LinearLossOptions, LogitsLossOptions, Lora, LossInputs, Reference, SequenceTokens } from "../types.ts";
import type { AnyFloats, ArrayReader, FloatData } from "./floats.ts";
import { readLoraFields } from "./lora.ts";
import { checkCall } from "./options.ts";
import { type OwnColumns, readOwnColumns } from "./own-columns.ts";
import { listPrompts, type PromptTokens } from "./prompts.ts";
import {
  type AnyReference,
  type ReferenceData,
  readReference,
  readReferenceFields,
  referenceArrays,
} from "./reference.ts";
import { checkResults, checkWeighting, type Outs, readLdAlpha, readOut, tokenArrays } from "./token-results.ts";
import { checkRowFields, type RowFields, type RowLabels, readRowFields, unitOf } from "./token-rows.ts";
import { type AnyTokens, listTokens, readSequenceTokens, type TokenList } from "./tokens.ts";
import { readTransform, type Transform } from "./transform.ts";

/** What a loss of tokens knows of its checked batch, wherever its logits come from. */
export interface TokenLossJob<F extends AnyFloats = FloatData> {
  readonly list: TokenList;
  /** V */
  readonly vocab: number;
  /** LD-DPO's α; 1 is off. */
  readonly ldAlpha: number;
  readonly wpo: boolean;
  /** Undefined where the tokens are pairs. */
  readonly rows: RowLabels | undefined;
  readonly reference: ReferenceData<F> | undefined;
  readonly columns: OwnColumns;
  /** The tokens that are read, where losses see prompts too. */
  readonly prompts: PromptTokens | undefined;
}

/** A checked call with tokens and a loss, but for its logits, or hidden states, and their gradients. */
export interface CheckedLoss<F extends AnyFloats = FloatData> extends TokenLossJob<F>, Outs {
  readonly transform: Transform | undefined;
}

/** A batch as the caller of any backend gives it, but for its logits. */
export interface AnyLossBatch extends RowFields {
  readonly tokens: AnyTokens;
  readonly vocab: number;
  readonly hiddenSize?: number;
  readonly reference?: AnyReference | undefined;
  readonly rewardMargin?: unknown;
}

/** A batch whose fields are read. */
export type LossRecord = RowFields &
  LossInputs & { tokens: SequenceTokens; reference?: Reference | undefined; lora?: Lora | undefined };

/** A reader of batches with these fields: each is read once, and so are the fields of what it holds. */
// Bundlers may leave it out where nothing calls it.
/* @__NO_SIDE_EFFECTS__ */
export function batchReader<B extends LossRecord>(fields: readonly (keyof B & string)[]): (given: unknown) => B {
  const read = recordOf<B>({ what: "batch", field: "a part of the batch", synonyms: lossSynonyms }, fields);
  return (given) => {
    const batch = read(given);
    batch.tokens = readSequenceTokens(batch.tokens);
    readRowFields(batch);
    if (batch.reference !== undefined) batch.reference = readReferenceFields(batch.reference) as Reference;
    if (batch.lora !== undefined) batch.lora = readLoraFields(batch.lora);
    return batch;
  };
}

export type LossOptions = Omit<LogitsLossOptions & LinearLossOptions, "out"> & { out?: object | undefined };

/** Where the logits of a call come from, checked. */
interface SourceCheck<F extends AnyFloats, S, G> {
  readonly source: S;
  /** The floats that are read, by name. */
  readonly read: Readonly<Record<string, F>>;
  /** The names of its gradients. */
  readonly names: readonly string[];
  /** Their arrays, as kernels see them, by name; and all that the job says of them. `out` has been read. */
  gradients(
    out: Readonly<Record<string, unknown>>,
  ): readonly [arrays: Readonly<Partial<Record<string, F>>>, gradients: G];
}

/**
 * Checks a call, once its batch is read; `checkSource` its logits or hidden states, at the tokens that are read, and makes the arrays
 * of gradients that were not given.
 *
 * Throws    KindError, ShapeError, ParamError, AbortError; nothing has been written then
 */
export function checkTokenLoss<F extends AnyFloats, S, G>(
  reader: ArrayReader<F>,
  batch: AnyLossBatch,
  plan: Plan,
  options: LossOptions,
  checkSource: (tokens: TokenList, transform: Transform | undefined, finite: boolean) => SourceCheck<F, S, G>,
): CheckedLoss<F> & S & G {
  checkCall(options);
  const { weighting } = options;
  if (weighting !== undefined) checkWeighting(weighting, plan);
  const { tokens, vocab, hiddenSize } = batch;
  const list = listTokens(reader, tokens, vocab);
  const finite = options.validate === "finite";
  const transform = readTransform(options);
  const ldAlpha = readLdAlpha(options);
  const [rows, rowArrays] = checkRowFields(batch, plan, list, options);
  const prompts = plan.rowNll === 0 ? undefined : listPrompts(reader, tokens, list, vocab);
  const { source, read, names, gradients } = checkSource(prompts?.all ?? list, transform, finite);
  const [reference, logps] = readReference(reader, batch.reference, plan, list, vocab, finite, transform, hiddenSize);
  const { columns, given } = readOwnColumns(batch, plan, list.pairs, finite);
  const out = readOut(options.out, names, unitOf(tokens));
  const [arrays, ofJob] = gradients(out);
  const outs = checkResults(
    out,
    arrays as Record<string, F>,
    list,
    { ...read, ...referenceArrays(reference) },
    { ...tokenArrays(tokens), ...logps, ...given, ...rowArrays },
  );
  const wpo = weighting === "wpo";
  return { list, vocab, transform, ldAlpha, wpo, rows, reference, columns, prompts, ...source, ...ofJob, ...outs };
}

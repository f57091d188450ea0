// The inputs of the calls that take log-probs of sequences, and nothing else, from logits or through a head; checked once, before
// anything is computed or written.

import { lossSynonyms } from "../checks/loss-synonyms.ts";
import { checkFlag } from "../checks/numbers.ts";
import { recordOf } from "../checks/record.ts";
import { unusedOption } from "../checks/refusals.ts";
import type {
  Floats,
  LinearLossOptions,
  LogitOptions,
  LogitsLossOptions,
  Lora,
  Reference,
  SequenceLogpsOptions,
  SequencesBatch,
  SequenceTokens,
} from "../types.ts";
import type { AnyFloats, ArrayReader, FloatData } from "./floats.ts";
import { type AnyHead, type HeadData, headArrays, readHead } from "./head.ts";
import { readLoraFields } from "./lora.ts";
import { checkCall, ofHeads, refuseUnused } from "./options.ts";
import { type AnyReference, readReferenceFields } from "./reference.ts";
import { checkFiniteRows, checkResults, type Outs, readLdAlpha, readLogpsOut, tokenArrays } from "./token-results.ts";
import { type AnyTokens, listTokens, readSequenceTokens, type TokenList } from "./tokens.ts";
import { readTransform, type Transform } from "./transform.ts";

/** A batch with its fields read, of either form. */
export interface SequencesRecord {
  tokens: SequenceTokens;
  vocab: number;
  logits?: Floats | undefined;
  hiddenSize?: number | undefined;
  hidden?: Floats | undefined;
  weight?: Floats | undefined;
  bias?: Floats | undefined;
  lora?: Lora | undefined;
  /** The batch of a loss may be the very same: its reference is not looked at. */
  reference?: Reference | undefined;
}

/** A batch as the caller of any backend gives it. */
export interface AnySequencesBatch extends Partial<AnyHead> {
  readonly tokens: AnyTokens;
  readonly vocab: number;
  readonly logits?: unknown;
  readonly hiddenSize?: number | undefined;
  readonly reference?: AnyReference | undefined;
}

const readFields = recordOf<SequencesRecord>({ what: "batch", field: "a part of the batch", synonyms: lossSynonyms }, [
  "tokens",
  "vocab",
  "logits",
  "hiddenSize",
  "hidden",
  "weight",
  "bias",
  "lora",
  "reference",
]);

/** A batch of logits, or of hidden states and a head, its fields read once. Throws    KindError, ParamError for names that are none */
export function readSequencesBatch(given: unknown): SequencesRecord {
  const batch = readFields(given as SequencesBatch);
  batch.tokens = readSequenceTokens(batch.tokens);
  if (batch.reference !== undefined) batch.reference = readReferenceFields(batch.reference) as Reference;
  if (batch.lora !== undefined) batch.lora = readLoraFields(batch.lora);
  return batch;
}

/** Where the logits of tokens come from. */
export type LogitsSource<F extends AnyFloats = FloatData> =
  | { readonly logits: F; readonly head?: undefined }
  | { readonly head: HeadData<F>; readonly logits?: undefined };

/** A checked batch. */
export interface SequencesJob<F extends AnyFloats = FloatData> {
  readonly list: TokenList;
  readonly vocab: number;
  readonly source: LogitsSource<F>;
  readonly transform: Transform | undefined;
  /** LD-DPO's α; 1 is off. */
  readonly ldAlpha: number;
}

/** A checked call of sequenceLogps. */
export interface LogpsJob<F extends AnyFloats = FloatData> extends SequencesJob<F>, Outs {
  readonly entropy: boolean;
}

const ofGradients = ["inPlace", "gradScale", ...ofHeads] as const;

/** The options of `sequenceLogps` and `sequenceLogpsGrad`: what the one has no use for, it refuses with the reason. */
export const sequenceOptions = [
  "ldAlpha",
  "gradType",
  "out",
  "metrics",
  "validate",
  "signal",
  "onProgress",
  "transfer",
  "logitScale",
  "logitSoftcap",
  "temperature",
  ...ofGradients,
] as const;

/** The options of sequenceLogps, read once. Throws    KindError, ParamError for names that are none */
export const readLogpsOptions = recordOf<
  SequenceLogpsOptions &
    Pick<LogitsLossOptions, "inPlace"> &
    Pick<LinearLossOptions, "gradType" | "accumulate" | "frozen" | "keep">
>({ what: "options", field: "an option of sequenceLogps", synonyms: lossSynonyms }, [...sequenceOptions, "entropy"]);

/**
 * Checks what `sequenceLogps` is given, once it is read. No array of a gradient is made.
 *
 * Throws    KindError, ShapeError, ParamError, AbortError; nothing has been written then
 */
export function checkLogps<F extends AnyFloats>(
  reader: ArrayReader<F>,
  batch: AnySequencesBatch,
  options: SequenceLogpsOptions,
): LogpsJob<F> {
  checkCall(options);
  refuseUnused(options, ofGradients, "sequenceLogps, which has no gradient");
  const { entropy = false } = options;
  checkFlag(entropy, "entropy");
  const job = checkSequences(reader, batch, options);
  const out = readLogpsOut(options.out);
  if (out["entropy"] !== undefined && !entropy) {
    throw unusedOption("out.entropy", "expected with entropy true, got it without");
  }
  return { ...job, ...checkResults(out, {}, job.list, sourceArrays(job.source), tokenArrays(batch.tokens)), entropy };
}

/** The floats that a batch is read from, by name. */
export const sourceArrays = <F extends AnyFloats>({ logits, head }: LogitsSource<F>): Record<string, F> =>
  head ? headArrays(head, "") : { logits };

/** Checks the batch of either call. */
export function checkSequences<F extends AnyFloats>(
  reader: ArrayReader<F>,
  batch: AnySequencesBatch,
  options: LogitOptions & { ldAlpha?: number | undefined; validate?: unknown },
): SequencesJob<F> {
  const { tokens, vocab } = batch;
  const list = listTokens(reader, tokens, vocab);
  if (list.pairs === 0) refuseUnused(options, ["ldAlpha"], "sequences that are not pairs: tokens say rows");
  const transform = readTransform(options);
  const finite = options.validate === "finite";
  return {
    list,
    vocab,
    source: readSource(reader, batch, list, finite, transform),
    transform,
    ldAlpha: readLdAlpha(options),
  };
}

function readSource<F extends AnyFloats>(
  reader: ArrayReader<F>,
  batch: AnySequencesBatch,
  list: TokenList,
  finite: boolean,
  transform: Transform | undefined,
): LogitsSource<F> {
  const { vocab, logits: given, hidden, weight, bias, lora, hiddenSize } = batch;
  if (given === undefined && hidden !== undefined) {
    const parts = { hidden, weight, bias, lora };
    return { head: readHead(reader, parts, hiddenSize as number, "", list, vocab, finite, transform) };
  }
  for (const [name, value] of Object.entries({ hidden, weight, bias, lora, hiddenSize })) {
    if (value === undefined) continue;
    throw unusedOption(`batch.${name}`, "not used beside logits; expected these or a head, got both");
  }
  const logits = reader.floats(given, "logits", list.positions * vocab);
  if (finite) checkFiniteRows(logits, "logits", list, vocab);
  return { logits };
}

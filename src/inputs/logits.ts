// The inputs of the calls that see logits, checked once, before anything is computed or written.

import { lossSynonyms } from "../checks/loss-synonyms.ts";
import { checkFlag } from "../checks/numbers.ts";
import { recordOf } from "../checks/record.ts";
import { ParamError } from "../errors.ts";
import type { Plan } from "../plan/plan.ts";
import type { LogitOptions, LogitsBatch, LogitsLossOptions, LossInputs, Reference, SequenceTokens } from "../types.ts";
import type { AnyFloats, ArrayReader, FloatData } from "./floats.ts";
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
  checkFiniteRows,
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
import { readTransform, type Transform } from "./transform.ts";

/** A checked batch of logits. */
export interface LogitsJob<F extends AnyFloats = FloatData> extends Outs {
  readonly list: TokenList;
  readonly vocab: number;
  readonly logits: F;
  readonly transform: Transform | undefined;
  /** LD-DPO's α; 1 is off. */
  readonly ldAlpha: number;
}

/** A checked call of logitsLoss. */
export interface LogitsLossJob<F extends AnyFloats = FloatData> extends LogitsJob<F>, LogitsGradient<F> {
  readonly reference: ReferenceData<F> | undefined;
  readonly wpo: boolean;
  /** Undefined where the tokens are pairs. */
  readonly rows: RowLabels | undefined;
  readonly columns: OwnColumns;
  /** The tokens that are read, where losses see prompts too. */
  readonly prompts: PromptTokens | undefined;
}

type LossBatch = Omit<LogitsBatch, "tokens"> & RowFields & LossInputs & { tokens: SequenceTokens };

/** A batch as the caller of any backend gives it. */
export interface AnyLogitsBatch extends RowFields {
  readonly tokens: AnyTokens;
  readonly vocab: number;
  readonly logits: unknown;
  readonly reference?: AnyReference | undefined;
  readonly rewardMargin?: unknown;
}

const readFields = recordOf<LossBatch>(
  { what: "batch", field: "a part of the batch", prefix: "batch.", synonyms: lossSynonyms },
  ["tokens", "vocab", "logits", "reference", "rewardMargin", "desirable", "kl"],
);

/** A batch of logits, its fields and its tokens' read once. Throws    KindError, ParamError for names that are none */
export function readLogitsBatch(given: unknown): LossBatch {
  const batch = readFields(given);
  batch.tokens = readSequenceTokens(batch.tokens);
  readRowFields(batch);
  if (batch.reference !== undefined) batch.reference = readReferenceFields(batch.reference) as Reference;
  return batch;
}

/**
 * Checks what `logitsLoss` is given, once it is read, and makes the array of the gradient if none was.
 *
 * Throws    KindError, ShapeError, ParamError, AbortError; nothing has been written then
 */
export function checkLogitsLoss<F extends AnyFloats>(
  reader: ArrayReader<F>,
  batch: AnyLogitsBatch,
  plan: Plan,
  options: Omit<LogitsLossOptions, "out"> & { out?: object | undefined },
): LogitsLossJob<F> {
  checkCall(options);
  const { weighting } = options;
  refuseUnused(options, ["accumulate"], "logitsLoss, which has no weight gradients");
  if (weighting !== undefined) checkWeighting(weighting, plan);
  const job = readBatch(reader, batch, options);
  const { list, logits, vocab, transform } = job;
  const [rows, rowArrays] = checkRowFields(batch, plan, list, options);
  const finite = options.validate === "finite";
  const prompts = plan.rowNll === 0 ? undefined : listPrompts(reader, batch.tokens, list, vocab);
  if (prompts && finite) checkFiniteRows(logits, "logits", prompts.all, vocab);
  const [reference, logps] = readReference(reader, batch.reference, plan, list, vocab, finite, transform);
  const { columns, given } = readOwnColumns(batch, plan, list.pairs, finite);
  const out = readOut(options.out, ["gradLogits"], unitOf(batch.tokens));
  const { gradient, gradLogits, fresh } = readLogitsGradient(reader, batch.logits, logits, options, out);
  const read = { logits, ...referenceArrays(reference) };
  const arrays = { ...tokenArrays(batch.tokens), ...logps, ...given, ...rowArrays };
  const outs = checkResults(out, { gradLogits: gradient }, list, read, arrays);
  return { ...job, ...outs, rows, reference, wpo: weighting === "wpo", columns, prompts, gradient, gradLogits, fresh };
}

/** Where the gradient of logits goes. */
export interface LogitsGradient<F extends AnyFloats = FloatData> {
  /** As kernels see it, and as the result names it. */
  readonly gradient: F;
  readonly gradLogits: unknown;
  /** Whether the gradient's array is fresh, so that rows that do not count are 0 already. */
  readonly fresh: boolean;
}

/** Checks what the options say of it; `out` has been read. Throws    KindError, ShapeError, ParamError */
export function readLogitsGradient<F extends AnyFloats>(
  reader: ArrayReader<F>,
  like: unknown,
  logits: F,
  { inPlace = false, gradType = "same" }: Pick<LogitsLossOptions, "inPlace" | "gradType">,
  out: Readonly<Record<string, unknown>>,
): LogitsGradient<F> {
  checkFlag(inPlace, "inPlace");
  if (inPlace && gradType === "f32" && logits.type !== "f32") {
    throw new ParamError("unused-option", `inPlace: expected gradType "same" for logits of ${logits.type}, got "f32"`);
  }
  if (inPlace && out["gradLogits"] !== undefined) {
    throw new ParamError("unused-option", "inPlace: expected no out.gradLogits beside it, got one");
  }
  const given = inPlace ? like : out["gradLogits"];
  const { value: gradLogits, data: gradient } = readGradient(reader, given, "gradLogits", like, logits, gradType);
  return { gradient, gradLogits, fresh: given === undefined };
}

function readBatch<F extends AnyFloats>(
  reader: ArrayReader<F>,
  batch: AnyLogitsBatch,
  options: LogitOptions & { ldAlpha?: number | undefined; validate?: unknown },
): Omit<LogitsJob<F>, keyof Outs> {
  const { tokens, vocab } = batch;
  const list = listTokens(reader, tokens, vocab);
  const logits = reader.floats(batch.logits, "logits", list.positions * vocab);
  if (options.validate === "finite") checkFiniteRows(logits, "logits", list, vocab);
  return { list, vocab, logits, transform: readTransform(options), ldAlpha: readLdAlpha(options) };
}

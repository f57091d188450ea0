// The inputs of the calls that see logits, checked once, before anything is computed or written.

import { checkCall, refuseUnused } from "./call-options.ts";
import { KindError, ParamError } from "./errors.ts";
import { type FloatData, readFloats } from "./floats.ts";
import { checkOut } from "./out.ts";
import { kindOf, type Plan } from "./plan.ts";
import { type ReferenceData, readReference, referenceArrays } from "./reference.ts";
import {
  checkFiniteRows,
  checkResults,
  checkWeighting,
  logpLengths,
  logpResults,
  readGradient,
  readLdAlpha,
  tokenArrays,
} from "./token-call.ts";
import { listTokens, type TokenList } from "./tokens.ts";
import type { Floats, LogitsBatch, LogitsLossOptions, Reference, SequenceLogpsOptions } from "./types.ts";

/** A checked batch of logits. */
export interface LogitsJob {
  readonly list: TokenList;
  readonly vocab: number;
  readonly logits: FloatData;
  /** LD-DPO's α; 1 is off. */
  readonly ldAlpha: number;
}

/** A checked call of logitsLoss. */
export interface LogitsLossJob extends LogitsJob {
  readonly reference: ReferenceData | undefined;
  readonly wpo: boolean;
  /** Where the gradient goes: as kernels see it, and as the result names it. */
  readonly gradient: FloatData;
  readonly gradLogits: Floats;
  /** Whether the gradient's array is fresh, so that rows that do not count are 0 already. */
  readonly fresh: boolean;
}

/**
 * Checks what `sequenceLogps` is given.
 *
 * Throws    KindError, ShapeError, ParamError, AbortError; nothing has been written then
 */
export function checkLogits(batch: LogitsBatch, options: SequenceLogpsOptions): LogitsJob {
  checkCall(options);
  const unused = ["inPlace", "accumulate", "gradScale"];
  refuseUnused(options, unused, "sequenceLogps, which has no gradient");
  const known = ["ldAlpha", "gradType", "out", "metrics", "validate", "signal", "onProgress", "transfer"];
  for (const name in options) {
    if (known.includes(name) || unused.includes(name)) continue;
    if (options[name as keyof SequenceLogpsOptions] === undefined) continue;
    throw new ParamError("unknown-option", `${name}: not an option of sequenceLogps; known: ${known.join(", ")}`);
  }
  const job = readBatch(batch, options);
  const { list, logits } = job;
  if (options.out !== undefined) {
    const inputs = { logits: logits.data, ...tokenArrays(batch.tokens) };
    checkOut(options.out, logpResults, logpLengths(list), inputs, Object.keys(inputs));
  }
  return job;
}

/**
 * Checks what `logitsLoss` is given, and makes the array of the gradient if none was.
 *
 * Throws    KindError, ShapeError, ParamError, AbortError; nothing has been written then
 */
export function checkLogitsLoss(
  batch: LogitsBatch & { reference?: Reference | undefined },
  plan: Plan,
  options: LogitsLossOptions,
): LogitsLossJob {
  checkCall(options);
  const { inPlace = false, gradType = "same", out, weighting } = options;
  if (typeof inPlace !== "boolean") throw new KindError(`inPlace: expected true or false, got ${kindOf(inPlace)}`);
  refuseUnused(options, ["accumulate"], "logitsLoss, which has no weight gradients");
  if (weighting !== undefined) checkWeighting(weighting, plan);
  const job = readBatch(batch, options);
  const { list, logits, vocab } = job;
  const reference = readReference(batch.reference, plan, list, vocab, options.validate === "finite");
  if (inPlace && gradType === "f32" && logits.type !== "f32") {
    throw new ParamError("unused-option", `inPlace: expected gradType "same" for logits of ${logits.type}, got "f32"`);
  }
  if (inPlace && out?.gradLogits !== undefined) {
    throw new ParamError("unused-option", "inPlace: expected no out.gradLogits beside it, got one");
  }
  const given = inPlace ? batch.logits : out?.gradLogits;
  const { value: gradLogits, data: gradient } = readGradient(given, "gradLogits", batch.logits, logits, gradType);
  checkResults(out, { gradLogits: gradient }, list, { logits, ...referenceArrays(reference) }, batch);
  return { ...job, reference, wpo: weighting === "wpo", gradient, gradLogits, fresh: given === undefined };
}

function readBatch(batch: LogitsBatch, options: { ldAlpha?: number | undefined; validate?: unknown }): LogitsJob {
  if (!batch || typeof batch !== "object") throw new KindError(`batch: expected an object, got ${kindOf(batch)}`);
  const { tokens, vocab } = batch;
  const list = listTokens(tokens, vocab);
  const logits = readFloats(batch.logits, "logits", list.positions * vocab);
  if (options.validate === "finite") checkFiniteRows(logits, "logits", list, vocab);
  return { list, vocab, logits, ldAlpha: readLdAlpha(options) };
}

// The inputs of the calls that see logits, checked once, before anything is computed or written.

import { checkFlag } from "../checks/numbers.ts";
import { unusedOption } from "../checks/refusals.ts";
import type { Plan } from "../plan/plan.ts";
import type { LogitsBatch, LogitsLossOptions } from "../types.ts";
import type { AnyFloats, ArrayReader, FloatData } from "./floats.ts";
import { ofHeads, refuseUnused } from "./options.ts";
import {
  type AnyLossBatch,
  batchReader,
  type CheckedLoss,
  checkTokenLoss,
  type LossOptions,
  type LossRecord,
} from "./token-loss.ts";
import { checkFiniteRows, readGradient } from "./token-results.ts";

/** A checked call of logitsLoss. */
export interface LogitsLossJob<F extends AnyFloats = FloatData> extends CheckedLoss<F>, LogitsGradient<F> {
  readonly logits: F;
}

/** A batch as the caller of any backend gives it. */
export interface AnyLogitsBatch extends AnyLossBatch {
  readonly logits: unknown;
}

/** A batch of logits, all its fields read once. Throws    KindError, ParamError for names that are none */
export const readLogitsBatch = batchReader<LossRecord & Omit<LogitsBatch, "tokens">>([
  "tokens",
  "vocab",
  "logits",
  "reference",
  "rewardMargin",
  "desirable",
  "kl",
]);

/**
 * Checks what `logitsLoss` is given, once it is read, and makes the array of the gradient if none was.
 *
 * Throws    KindError, ShapeError, ParamError, AbortError; nothing has been written then
 */
export function checkLogitsLoss<F extends AnyFloats>(
  reader: ArrayReader<F>,
  batch: AnyLogitsBatch,
  plan: Plan,
  options: LossOptions,
): LogitsLossJob<F> {
  refuseUnused(options, ofHeads, "logitsLoss, which has no weight gradients");
  return checkTokenLoss(reader, batch, plan, options, (tokens, _, finite) => {
    const { vocab } = batch;
    const logits = reader.floats(batch.logits, "logits", tokens.positions * vocab);
    if (finite) checkFiniteRows(logits, "logits", tokens, vocab);
    return {
      source: { logits },
      read: { logits },
      names: ["gradLogits"],
      gradients(out) {
        const of = readLogitsGradient(reader, batch.logits, logits, options, out);
        return [{ gradLogits: of.gradient }, of];
      },
    };
  });
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
    throw unusedOption("inPlace", `expected gradType "same" for logits of ${logits.type}, got "f32"`);
  }
  if (inPlace && out["gradLogits"] !== undefined) {
    throw unusedOption("inPlace", "expected no out.gradLogits beside it, got one");
  }
  const given = inPlace ? like : out["gradLogits"];
  const { value: gradLogits, data: gradient } = readGradient(reader, given, "gradLogits", like, logits, gradType);
  return { gradient, gradLogits, fresh: given === undefined };
}

// The inputs of sequenceLogpsGrad: the batch of sequenceLogps, and what some function of its results has as gradients.

import { recordOf } from "../checks/record.ts";
import { ParamError } from "../errors.ts";
import type { FloatArray, LogitsLossOptions, LogpsGradients, SequenceLogpsGradOptions } from "../types.ts";
import { checkFloats } from "./columns.ts";
import type { AnyFloats, ArrayReader, FloatData } from "./floats.ts";
import type { AnyHead } from "./head.ts";
import { type HeadGradientArrays, headGradients } from "./linear.ts";
import { type LogitsGradient, readLogitsGradient } from "./logits.ts";
import { checkCall, ofHeads, refuseUnused } from "./options.ts";
import {
  type AnySequencesBatch,
  checkSequences,
  readSequencesBatch,
  type SequencesJob,
  type SequencesRecord,
  sequenceOptions,
  sourceArrays,
} from "./sequence-logps.ts";
import { checkResults, readResultsOf, tokenArrays } from "./token-results.ts";
import type { TokenList } from "./tokens.ts";

/** What the call is given: the batch, and the gradients beside it. */
export type GradRecord = SequencesRecord & { gradients: LogpsGradients };

/** The same as the caller of any backend gives it. */
export type AnyGradBatch = AnySequencesBatch & { readonly gradients: LogpsGradients };

const readGradientFields = recordOf<LogpsGradients>({ what: "gradients", field: "a gradient of a result" }, [
  "logps",
  "tokenLogps",
  "entropy",
]);

/** Both, read once. Throws    KindError, ParamError for names that are none */
export function readGradInput({ batch, gradients }: { batch: unknown; gradients: unknown }): GradRecord {
  return { ...readSequencesBatch(batch), gradients: readGradientFields(gradients) };
}

/** The options of sequenceLogpsGrad, read once. Throws    KindError, ParamError for names that are none */
export const readGradOptions = recordOf<SequenceLogpsGradOptions & Pick<LogitsLossOptions, "metrics">>(
  { what: "options", field: "an option of sequenceLogpsGrad" },
  sequenceOptions,
);

/** A checked call of sequenceLogpsGrad. */
export interface GradJob<F extends AnyFloats = FloatData> extends SequencesJob<F> {
  readonly gradients: LogpsGradients;
  readonly ofLogits: LogitsGradient<F> | undefined;
  readonly ofHead: HeadGradientArrays<F> | undefined;
}

/**
 * Checks what `sequenceLogpsGrad` is given, once it is read, and makes the arrays of gradients that were not.
 *
 * Throws    KindError, ShapeError, ParamError, AbortError; nothing has been written then
 */
export function checkLogpsGrad<F extends AnyFloats>(
  reader: ArrayReader<F>,
  batch: AnyGradBatch,
  options: Omit<SequenceLogpsGradOptions, "out"> & { out?: object | undefined },
): GradJob<F> {
  checkCall(options);
  refuseUnused(options, ["metrics"], "sequenceLogpsGrad, which has gradients alone");
  const job = checkSequences(reader, batch, options);
  const { list, source } = job;
  const gradients = checkGradients(batch.gradients, list, options.validate === "finite");
  const read = sourceArrays(source);
  const arrays = tokenArrays(batch.tokens);
  if (source.head) {
    refuseUnused(options, ["inPlace"], "a head, which has no logits to write over");
    const { names, read: readGradients } = headGradients(reader, batch as AnyHead, source.head, options);
    const out = readResultsOf(options.out, names);
    const ofHead = readGradients(out);
    checkResults(out, ofHead.gradients as Record<string, F>, list, read, arrays);
    return { ...job, gradients, ofHead, ofLogits: undefined };
  }
  refuseUnused(options, ofHeads, "logits, which have no weight");
  const out = readResultsOf(options.out, ["gradLogits"]);
  const ofLogits = readLogitsGradient(reader, batch.logits, source.logits, options, out);
  checkResults(out, { gradLogits: ofLogits.gradient }, list, read, arrays);
  return { ...job, gradients, ofLogits, ofHead: undefined };
}

function checkGradients(gradients: LogpsGradients, list: TokenList, finite: boolean): LogpsGradients {
  const { start, places, size } = list;
  const lengths = { logps: start.length - 1, tokenLogps: size, entropy: size };
  let isNone = true;
  for (const name of ["logps", "tokenLogps", "entropy"] as const) {
    const array = gradients[name];
    if (array === undefined) continue;
    isNone = false;
    checkFloats(array, `gradients.${name}`, lengths[name]);
    if (finite) checkFinite(array, name, name === "logps" ? undefined : places);
  }
  if (!isNone) return gradients;
  throw new ParamError("missing-input", "gradients: expected at least one of logps, tokenLogps, entropy, got none");
}

// Of tokens those that count.
function checkFinite(array: FloatArray, name: string, places: Int32Array | undefined): void {
  for (const at of places ?? array.keys()) {
    if (Number.isFinite(array[at])) continue;
    throw new ParamError("not-finite", `gradients.${name}[${at}]: expected a finite number, got ${array[at]}`);
  }
}

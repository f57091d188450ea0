// The reference of a call that sees tokens, checked: log-probs, logits, or hidden states and a head.

import { lossSynonyms } from "../checks/loss-synonyms.ts";
import { recordOf } from "../checks/record.ts";
import { outOfRange, unusedOption, wrongKind } from "../checks/refusals.ts";
import { plainView } from "../checks/views.ts";
import { arrayKind, shown } from "../messages.ts";
import type { Plan } from "../plan/plan.ts";
import type { FloatArray } from "../types.ts";
import { checkFiniteColumns, checkFloats, missing } from "./columns.ts";
import type { AnyFloats, ArrayReader, FloatData } from "./floats.ts";
import { type HeadData, headArrays, readHead } from "./head.ts";
import { checkFiniteRows } from "./token-results.ts";
import type { TokenList } from "./tokens.ts";
import type { Transform } from "./transform.ts";

/** A checked reference. */
export type ReferenceData<F extends AnyFloats = FloatData> =
  | { readonly logps: FloatArray | Exclude<F, FloatData> }
  | { readonly logits: F; readonly transform: Transform | undefined }
  | { readonly head: HeadData<F> };

/** A reference as a caller gives it. */
export interface AnyReference {
  logps?: unknown;
  logits?: unknown;
  hidden?: unknown;
  weight?: unknown;
  bias?: unknown;
  hiddenSize?: number | undefined;
  /** Of logits that an adapter gave: the call's own. */
  vocab?: number | undefined;
}

const expected = "{ logps }, { logits } or { hidden, weight }";

const readForms = recordOf<AnyReference>(
  { what: "reference", field: "a part of a reference", expected, synonyms: lossSynonyms },
  ["logps", "logits", "hidden", "weight", "bias", "hiddenSize", "vocab"],
);

/** The fields of a reference, read once. Throws    KindError, ParamError for names that are none */
export function readReferenceFields(given: unknown): AnyReference {
  const fields = readForms(given);
  const { logps, logits, hidden } = fields;
  if (logps !== undefined || logits !== undefined || hidden !== undefined) return fields;
  // The form that was meant, so that the refusal names it.
  const [meant, ...others] = ["logps", "logits", "hidden"].filter((form) => form in (given as object));
  return meant && others.length === 0 ? ({ ...fields, [meant]: null } as unknown as AnyReference) : fields;
}

/** Checks a reference, once its fields are read; `width` is that of the policy's hidden states, if it has any. With it comes the caller's array of log-probs. */
export function readReference<F extends AnyFloats>(
  reader: ArrayReader<F>,
  reference: AnyReference | undefined,
  plan: Plan,
  list: TokenList,
  vocab: number,
  finite: boolean,
  transform: Transform | undefined,
  width?: number,
): readonly [ReferenceData<F> | undefined, Record<string, FloatArray>] {
  if (reference === undefined) {
    const ratio = plan.terms.find(({ free }) => !free);
    if (!ratio) return [undefined, {}];
    throw missing("reference", ratio.loss.id);
  }
  const { logps, logits, hidden, weight, bias, hiddenSize } = reference;
  if ([logps, logits, hidden].filter((form) => form !== undefined).length !== 1) {
    throw wrongKind("reference", expected, reference);
  }
  const { vocab: given } = reference as AnyReference;
  if (given !== undefined && given !== vocab) {
    throw outOfRange("reference.vocab", `${vocab} (vocab)`, shown(given));
  }
  if (hidden !== undefined) {
    const own = hiddenSize ?? width ?? widthOf(reader, weight, vocab);
    const head = readHead(reader, { hidden, weight, bias }, own, "reference.", list, vocab, finite, transform);
    return [{ head }, {}];
  }
  for (const [name, value] of Object.entries({ weight, bias, hiddenSize })) {
    if (value === undefined) continue;
    throw unusedOption(`reference.${name}`, `not used by ${logps ? "logps" : "logits"}`);
  }
  const onDevice = reader.deviceLogps(logps, "reference.logps", list.start.length - 1);
  if (onDevice) return [{ logps: onDevice }, {}];
  if (logps !== undefined)
    return [{ logps: readLogps(logps, list, finite) }, { "reference.logps": logps as FloatArray }];
  const floats = reader.floats(logits, "reference.logits", list.positions * vocab);
  if (finite) checkFiniteRows(floats, "reference.logits", list, vocab);
  return [{ logits: floats, transform }, {}];
}

// Where there is no policy's head to go by, as many as the weight has for each id.
function widthOf<F extends AnyFloats>(reader: ArrayReader<F>, weight: unknown, vocab: number): number {
  const length = reader.lengthOf(weight);
  if (length === undefined) throw wrongKind("reference.weight", "floats", weight);
  return length / vocab;
}

function readLogps(given: unknown, { start }: TokenList, finite: boolean): FloatArray {
  checkFloats(given, "reference.logps", start.length - 1);
  if (finite) checkFiniteColumns({ "reference.logps": given }, ["reference.logps"]);
  // A copy: the results may be written over the very array.
  return Float64Array.from(plainView(given, arrayKind(given)));
}

/** The floats of a reference that are read while the call computes. */
export function referenceArrays<F extends AnyFloats>(reference: ReferenceData<F> | undefined): Record<string, F> {
  if (!reference || "logps" in reference) return {};
  return "head" in reference ? headArrays(reference.head, "reference.") : { "reference.logits": reference.logits };
}

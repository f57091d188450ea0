// The reference of a call that sees tokens, checked: log-probs, logits, or hidden states and a head.

import { KindError, ParamError, ShapeError } from "./errors.ts";
import { type FloatData, readFloats } from "./floats.ts";
import { type HeadData, headArrays, readHead } from "./head.ts";
import { arrayKind, kindOf, type Plan } from "./plan.ts";
import { checkFiniteRows, logpKinds } from "./token-call.ts";
import type { TokenList } from "./tokens.ts";
import type { FloatArray, Reference } from "./types.ts";

/** A checked reference. */
export type ReferenceData =
  | { readonly logps: FloatArray }
  | { readonly logits: FloatData }
  | { readonly head: HeadData };

const forms = ["logps", "logits", "hidden"];

/** Checks a reference; `width` is that of the policy's hidden states, if it has any. */
export function readReference(
  reference: Reference | undefined,
  plan: Plan,
  list: TokenList,
  vocab: number,
  finite: boolean,
  width?: number,
): ReferenceData | undefined {
  if (reference === undefined) {
    const ratio = plan.terms.find(({ loss }) => !("likelihood" in loss));
    if (!ratio || plan.referenceFree) return undefined;
    throw new ParamError("missing-input", `reference: expected with ${ratio.loss.id}, got nothing`);
  }
  const isObject = typeof reference === "object" && reference !== null;
  if (!isObject || forms.filter((name) => name in reference).length !== 1) {
    throw new KindError(`reference: expected { logps }, { logits } or { hidden, weight }, got ${kindOf(reference)}`);
  }
  if ("hidden" in reference) {
    const { hidden, weight, bias, hiddenSize = width as number } = reference;
    return { head: readHead({ hidden, weight, bias }, hiddenSize, "reference.", list, vocab, finite) };
  }
  if ("logits" in reference) {
    const logits = readFloats(reference.logits, "reference.logits", list.positions * vocab);
    if (finite) checkFiniteRows(logits, "reference.logits", list, vocab);
    return { logits };
  }
  return { logps: readLogps(reference.logps, list, finite) };
}

function readLogps(logps: FloatArray, { pairs }: TokenList, finite: boolean): FloatArray {
  if (!logpKinds.includes(arrayKind(logps))) {
    throw new KindError(`reference.logps: expected a ${logpKinds.join(" or ")}, got ${kindOf(logps)}`);
  }
  if (logps.length !== 2 * pairs) {
    throw new ShapeError("wrong-length", `reference.logps: expected ${2 * pairs} values, got ${logps.length}`);
  }
  const at = finite ? logps.findIndex((value) => !Number.isFinite(value)) : -1;
  if (at >= 0) throw new ParamError("not-finite", `reference.logps[${at}]: expected a finite number, got ${logps[at]}`);
  // A copy: the results may be written over the very array.
  return Float64Array.from(logps);
}

/** The floats of a reference that are read while the call computes. */
export function referenceArrays(reference: ReferenceData | undefined): Record<string, FloatData> {
  if (!reference || "logps" in reference) return {};
  return "head" in reference ? headArrays(reference.head, "reference.") : { "reference.logits": reference.logits };
}

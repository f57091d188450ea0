// What stands beside tokens that are rows: which of them are desirable, and the log-probs of mismatched ones. Checked, and read to
// the end, before anything is computed or written.

import { recordOf } from "../checks/record.ts";
import { unusedOption, wrongKind, wrongLength } from "../checks/refusals.ts";
import { bufferOf, lengthOf, refuseStray, setNumbers } from "../checks/views.ts";
import type { Unit } from "../losses/kinds.ts";
import { arrayKind } from "../messages.ts";
import type { Plan } from "../plan/plan.ts";
import type { FloatArray } from "../types.ts";
import { checkFiniteColumns, type Labels, missing } from "./columns.ts";
import { refuseUnused } from "./options.ts";
import type { TokenList } from "./tokens.ts";
import { checkKl, checkLabels, inLabels, klOf } from "./unpaired.ts";

/** The fields of a batch that only rows have. */
export interface RowFields {
  desirable?: unknown;
  kl?: { policy?: FloatArray | undefined; reference?: FloatArray | undefined } | undefined;
}

/** The rows of a batch of tokens. */
export interface RowLabels {
  readonly desirable: Labels;
  /** k of KTO; 0 where no loss reads it. */
  readonly kl: number;
}

const readKl = recordOf<NonNullable<RowFields["kl"]>>(
  { what: "batch.kl", field: "a part of kl", prefix: "kl.", expected: "{ policy, reference }" },
  ["policy", "reference"],
);

/** The fields of rows in a batch whose fields were read, read on. Throws    KindError, ParamError for names that are none */
export function readRowFields(batch: RowFields): void {
  batch.desirable = inLabels(batch.desirable, "desirable");
  if (batch.kl !== undefined) batch.kl = readKl(batch.kl);
}

/** What a loss of these tokens is of. */
export const unitOf = (tokens: object): Unit => ((tokens as { rows?: unknown }).rows === undefined ? "pair" : "row");

/** Options that weigh the two sequences of a pair against each other. */
const ofPairs = ["ldAlpha", "weighting"];

/**
 * Checks them; undefined where the tokens are pairs. With them come the caller's arrays.
 *
 * Throws    KindError, ShapeError, ParamError
 */
export function checkRowFields(
  { desirable, kl }: RowFields,
  plan: Plan,
  { pairs, start }: TokenList,
  options: { readonly validate?: unknown },
): readonly [RowLabels | undefined, Record<string, ArrayBufferView>] {
  if (pairs > 0) {
    for (const [name, value] of Object.entries({ desirable, kl })) {
      if (value === undefined) continue;
      throw unusedOption(`batch.${name}`, "not used with tokens.pairs; expected tokens.rows beside it");
    }
    return [undefined, {}];
  }
  refuseUnused(options, ofPairs, "losses of rows, which have no partners");
  const rows = start.length - 1;
  if (desirable === undefined) throw missing("desirable", "tokens.rows");
  if (arrayKind(desirable) !== "Uint8Array") {
    throw wrongKind("desirable", "a Uint8Array or a list of booleans", desirable);
  }
  const labels = desirable as Labels;
  if (lengthOf(labels) !== rows) {
    throw wrongLength("desirable", `${rows} values (rows)`, lengthOf(labels));
  }
  refuseStray(labels, "desirable", bufferOf(labels));
  checkLabels(labels, "desirable");
  const given = { "kl.policy": kl?.policy, "kl.reference": kl?.reference };
  checkKl(given, Object.keys(given) as (keyof typeof given)[], plan);
  if (options.validate === "finite") checkFiniteColumns(given, Object.keys(given));
  const arrays = Object.entries({ desirable: labels, ...given }).filter(([, array]) => array !== undefined);
  // A copy: results may be written over the very array, and others may detach it while the call runs.
  const copy = new Uint8Array(rows);
  setNumbers(copy, labels, 0);
  return [
    { desirable: copy, kl: klOf(kl?.policy, kl?.reference, plan) },
    Object.fromEntries(arrays) as Record<string, ArrayBufferView>,
  ];
}

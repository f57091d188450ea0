// What a file's first row says of the losses that can be computed of it.

import type { LossType } from "../index.ts";
import { lossTable } from "../losses/index.ts";
import type { Unit } from "../losses/kinds.ts";
import { needsOf } from "../plan/needs.ts";
import { planLosses } from "../plan/plan.ts";
import type { LossOptions } from "../types.ts";
import { type ColumnMap, namesOf, pairFields, rowFields } from "./field-names.ts";
import { typesOf } from "./plans.ts";
import { missingIn } from "./read-pairs.ts";
import { missingInRow } from "./read-rows.ts";
import { refusal } from "./refusal.ts";
import type { Row, Source } from "./rows.ts";
import { peekRow } from "./source.ts";

/** Whether a row is one of a file of pairs or of rows: a row has a label and no chosen completion. */
function unitOfRow([, values]: Row, map: ColumnMap): Unit {
  const has = (fields: typeof pairFields | typeof rowFields, key: string): boolean => {
    const field = fields.find((one) => one.key === key);
    return field !== undefined && namesOf(field, map).some((name) => (values[name] ?? null) !== null);
  };
  return has(rowFields, "desirable") && !has(pairFields, "policyChosen") ? "row" : "pair";
}

/** The source with all its rows. Throws    a refusal where losses of pairs were asked for, and the first row is one with a label */
export async function refuseOtherUnit(opened: Source, unit: Unit, map: ColumnMap): Promise<Source> {
  const { first, whole } = await peekRow(opened);
  if (unit === "row" || !first || unitOfRow(first, map) === "pair") return whole;
  const names = typesOf("row").join(", ");
  throw refusal(`${opened.name}: rows with a label each, not pairs; their losses (--loss-type) are ${names}`);
}

/** Every loss for which the first row has what it needs, and a note for each of the others. */
export async function askAll(opened: Source, given: LossOptions, map: ColumnMap) {
  const { first, whole: source } = await peekRow(opened);
  const unit = first ? unitOfRow(first, map) : "pair";
  const left: string[] = [];
  const lossType = typesOf(unit).filter((id) => {
    const missing = first ? missingOf(id, unit, first, given, map) : [];
    if (missing.length > 0) left.push(`${id}: left out, since the first ${unit} has no ${missing.join(", ")}`);
    return missing.length === 0;
  });
  if (lossType.length === 0) throw refusal(`${opened.name}: no loss can be computed: ${left[0]}`);
  return { source, asked: { ...given, lossType }, left };
}

function missingOf(id: LossType, unit: Unit, first: Row, { referenceFree }: LossOptions, map: ColumnMap): string[] {
  if (unit === "row") return missingInRow(first, planLosses({ lossType: id }, unit), map);
  const plan = planLosses({ lossType: id, referenceFree: lossTable[id].reference && referenceFree });
  return missingIn(first, { ...needsOf(plan), policyChosen: id }, map);
}

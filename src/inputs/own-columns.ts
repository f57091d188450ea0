// The inputs of pairs that calls with tokens take too: those that no loss reads unless its definition lists them.

import { plainView } from "../checks/views.ts";
import { type OwnColumn, pairColumns } from "../losses/kinds.ts";
import { arrayKind } from "../messages.ts";
import { needsOf } from "../plan/needs.ts";
import type { Plan } from "../plan/plan.ts";
import type { FloatArray } from "../types.ts";
import { checkFiniteColumns, checkFloats, missing } from "./columns.ts";

/** Numbers of each pair, copied: results may be written over the very arrays. */
export type OwnColumns = { readonly [Name in OwnColumn]?: FloatArray };

const names = pairColumns.flatMap((column) => (column.of === "own" ? [column.name] : []));

/** Checks those that a batch has, once it is read, and that the losses have theirs. Throws    KindError, ShapeError, ParamError */
export function readOwnColumns(
  batch: { readonly [Name in OwnColumn]?: unknown },
  plan: Plan,
  pairs: number,
  finite: boolean,
): { readonly columns: OwnColumns; readonly given: Record<string, FloatArray> } {
  const columns: Partial<Record<OwnColumn, FloatArray>> = {};
  const given: Record<string, FloatArray> = {};
  const needs = needsOf(plan);
  for (const name of names) {
    const array = batch[name];
    if (array === undefined) {
      const user = needs[name];
      if (user === undefined) continue;
      throw missing(name, user);
    }
    checkFloats(array, name, pairs, " (pairs)");
    if (finite) checkFiniteColumns(batch, [name]);
    given[name] = array;
    columns[name] = Float64Array.from(plainView(array, arrayKind(array)));
  }
  return { columns, given };
}

// The inputs of pairs that calls with tokens take too: those that no loss reads unless its definition lists them.

import { bufferOf, findNumber, lengthOf, plainView, refuseStray } from "../checks/views.ts";
import { KindError, ParamError, ShapeError } from "../errors.ts";
import { type OwnColumn, pairColumns } from "../losses/kinds.ts";
import { arrayKind, kindOf } from "../messages.ts";
import { needsOf } from "../plan/needs.ts";
import type { Plan } from "../plan/plan.ts";
import type { FloatArray } from "../types.ts";

/** Numbers of each pair, copied: results may be written over the very arrays. */
export type OwnColumns = { readonly [Name in OwnColumn]?: FloatArray };

const names = pairColumns.flatMap((column) => (column.of === "own" ? [column.name] : []));
const kinds: readonly string[] = ["Float32Array", "Float64Array"];

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
      if (!needs[name]) continue;
      throw new ParamError("missing-input", `${name}: expected with ${needs[name]}, got nothing`);
    }
    const kind = arrayKind(array);
    if (!kinds.includes(kind)) throw new KindError(`${name}: expected a ${kinds.join(" or ")}, got ${kindOf(array)}`);
    const values = array as FloatArray;
    const length = lengthOf(values);
    if (length !== pairs)
      throw new ShapeError("wrong-length", `${name}: expected ${pairs} values (pairs), got ${length}`);
    refuseStray(values, name, bufferOf(values));
    const at = finite ? findNumber(values, (value) => !Number.isFinite(value)) : -1;
    if (at >= 0) throw new ParamError("not-finite", `${name}[${at}]: expected a finite number, got ${values[at]}`);
    given[name] = values;
    columns[name] = Float64Array.from(plainView(values, kind) as FloatArray);
  }
  return { columns, given };
}

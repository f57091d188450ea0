// Rows of a file become batches of rows for `unpairedLoss`.

import { readsKl } from "../losses/kinds.ts";
import type { Plan } from "../plan/plan.ts";
import type { RowLogps } from "../types.ts";
import { type ColumnMap, columnNames, rowFields as fields, namesOf, type RowField } from "./field-names.ts";
import { type FieldToRead, missing, readField } from "./read-field.ts";
import { refusal } from "./refusal.ts";
import type { Row, Source } from "./rows.ts";

export interface ReadRowsOptions {
  plan: Plan;
  /** Rows per batch; Infinity puts the whole file into one. */
  batchSize: number;
  /** Refuses NaN and infinities. */
  finite: boolean;
  map: ColumnMap;
  /** Whether all fields of the rows go along with them. */
  keepFields: boolean;
}

/** Some rows of a file. */
export interface RowBatch {
  readonly rows: RowLogps;
  /** The line or row of each. */
  readonly numbers: readonly number[];
  /** All its fields, if they are kept. */
  readonly fields: readonly Row[1][];
}

/** The usual names of what a loss of rows needs and the row does not have. */
export const missingInRow = ([, values]: Row, plan: Plan, map: ColumnMap): string[] =>
  fields
    .filter(
      (field) => neededBy(plan, field.key) && namesOf(field, map).every((name) => (values[name] ?? null) === null),
    )
    .map(({ names }) => names[0] ?? "");

/** A loss that cannot do without a field. */
function neededBy({ terms }: Plan, key: RowField): string | undefined {
  if (key === "klPolicy" || key === "klReference") return terms.find(({ loss }) => readsKl(loss))?.loss.id;
  return key === "lengths" || key === "densityRatio" ? undefined : terms[0]?.loss.id;
}

/**
 * The rows of a source in batches, all but the last of the same size.
 *
 * The log-probs of mismatched rows are the batch's: a row may be without. Without a length a completion counts as not empty, and
 * without a density ratio as one of ratio 1.
 *
 * Throws    a refusal that names file, line and field
 */
export async function* readRows(source: Source, options: ReadRowsOptions): AsyncGenerator<RowBatch> {
  const { plan, batchSize, finite, map, keepFields } = options;
  const known = columnNames(map);
  const toRead = fields.map((field) => {
    const { key, kind } = field;
    const needed = key.startsWith("kl") ? undefined : neededBy(plan, key);
    return { key, field: { names: namesOf(field, map), kind, needed, finite, known } satisfies FieldToRead };
  });
  const forKl = neededBy(plan, "klPolicy");
  const takesRatio = plan.terms.every(({ loss }) => "rewardShift" in loss.params);
  let rows: Row[] = [];

  const batch = (): RowBatch => {
    const values = Object.fromEntries(fields.map(({ key }) => [key, [] as number[]])) as Record<RowField, number[]>;
    for (const row of rows) {
      const read = Object.fromEntries(toRead.map(({ key, field }) => [key, readField(source, row, field)]));
      const { klPolicy, klReference, lengths = 1, densityRatio = 1, ...own } = read;
      for (const [key, value] of Object.entries({ ...own, lengths, densityRatio }))
        values[key as RowField].push(value ?? NaN);
      if (klPolicy === undefined && klReference === undefined) continue;
      for (const [key, value] of Object.entries({ klPolicy, klReference })) {
        if (value === undefined) throw lacking(row, key as RowField, "the other of the mismatched row");
        values[key as RowField].push(value);
      }
    }
    const first = rows[0] as Row;
    if (forKl && values.klPolicy.length === 0) throw lacking(first, "klPolicy", forKl);
    const arrays = Object.fromEntries(Object.entries(values).map(([key, list]) => [key, Float64Array.from(list)]));
    const { klPolicy, klReference, densityRatio, desirable, ...logps } = arrays as Record<
      RowField,
      Float64Array<ArrayBuffer>
    >;
    return {
      rows: {
        ...logps,
        desirable: Uint8Array.from(desirable),
        ...(forKl && { klPolicy, klReference }),
        ...(takesRatio && { densityRatio }),
      },
      numbers: rows.map(([number]) => number),
      fields: keepFields ? rows.map(([, values]) => values) : [],
    };
  };

  function lacking(row: Row, key: RowField, needed: string): Error {
    const field = toRead.find((one) => one.key === key)?.field as FieldToRead;
    const why = missing(source, row[1], { ...field, needed });
    return refusal(`${source.place(row[0])}: ${field.names[0]}: ${why}`);
  }

  for await (const block of source.rows) {
    for (const row of block) {
      rows.push(row);
      if (rows.length < batchSize) continue;
      yield batch();
      rows = [];
    }
  }
  if (rows.length > 0) yield batch();
}

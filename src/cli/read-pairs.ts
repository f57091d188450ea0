// Rows of a file become batches of pairs for `pairLoss`.

import type { Needs } from "../plan/needs.ts";
import type { PairLogps } from "../types.ts";
import { type ColumnMap, columnNames, pairFields as fields, namesOf, type PairField } from "./field-names.ts";
import { type FieldToRead, readField } from "./read-field.ts";
import type { Row, Source } from "./rows.ts";

/** The usual names of what the losses need and the row does not have. */
export const missingIn = ([, values]: Row, needs: Needs, map: ColumnMap): string[] =>
  fields
    .filter((field) => needs[field.key] && namesOf(field, map).every((name) => (values[name] ?? null) === null))
    .map(({ names }) => names[0] ?? "");

export interface ReadOptions {
  needs: Needs;
  /** Pairs per batch; Infinity puts the whole file into one. */
  batchSize: number;
  /** Refuses NaN and infinities. */
  finite: boolean;
  map?: ColumnMap | undefined;
  /** A column whose values go along with the pairs. */
  groupBy?: string | undefined;
  /** Whether all fields of the pairs go along with them. */
  keepFields?: boolean | undefined;
}

/** Some pairs of a file. The arrays are used again for the next batch. */
export interface Batch {
  readonly pairs: PairLogps;
  /** The line or row of each pair. */
  readonly rows: Float64Array;
  /** The values of the column `groupBy`. */
  readonly groups: readonly unknown[];
  /** All fields of the pairs, if they are kept. */
  readonly fields: readonly Row[1][];
}

/** How many pairs have what no loss needs but the metrics tell of, and the first row that lacks it. */
export interface Presence {
  present: number;
  absent: number;
  firstAbsent: number;
}

/** The batches of a source; `reference` and `rejected` are known when all of them have been read. */
export interface PairReader {
  readonly batches: AsyncIterable<Batch>;
  readonly reference: Presence;
  readonly rejected: Presence;
}

type Columns = Record<PairField, Float64Array<ArrayBuffer>>;

/**
 * The pairs of a source in batches, all but the last of the same size. Be done with a batch before asking for the next.
 *
 * A field is absent where it is null or missing under all its names. Where no loss needs it, 0 stands for a
 * log-probability, and a completion without a length counts as not empty.
 *
 * Throws    a refusal that names file, line and field
 */
export function readPairs(
  source: Source,
  { needs, batchSize, finite, map = {}, groupBy, keepFields }: ReadOptions,
): PairReader {
  const known = columnNames(map);
  const toRead = Object.fromEntries(
    fields.map((field) => {
      const { key, kind } = field;
      return [key, { names: namesOf(field, map), kind, needed: needs[key], finite, known }];
    }),
  ) as Record<PairField, FieldToRead>;
  const reference: Presence = { present: 0, absent: 0, firstAbsent: 0 };
  const rejected: Presence = { present: 0, absent: 0, firstAbsent: 0 };

  async function* batches(): AsyncGenerator<Batch> {
    let capacity = Math.min(batchSize, 65536);
    let rows = new Float64Array(capacity);
    const columns = Object.fromEntries(fields.map(({ key }) => [key, new Float64Array(capacity)])) as Columns;
    let groups: unknown[] = [];
    let kept: Row[1][] = [];
    let count = 0;
    const batch = (): Batch => {
      const values = fields.map(({ key }) => [key, columns[key].subarray(0, count)]);
      return { pairs: Object.fromEntries(values) as PairLogps, rows: rows.subarray(0, count), groups, fields: kept };
    };
    for await (const block of source.rows) {
      for (const row of block) {
        if (count === capacity) {
          capacity = Math.min(batchSize, capacity * 2);
          rows = grown(rows, capacity);
          for (const { key } of fields) columns[key] = grown(columns[key], capacity);
        }
        rows[count] = row[0];
        if (groupBy !== undefined) groups.push(Object.hasOwn(row[1], groupBy) ? row[1][groupBy] : null);
        if (keepFields) kept.push(row[1]);
        readRow(row, columns, count);
        if (++count < batchSize) continue;
        yield batch();
        count = 0;
        groups = [];
        kept = [];
      }
    }
    if (count > 0) yield batch();
  }

  function readRow(row: Row, columns: Columns, at: number): void {
    const get = (key: PairField): number | undefined => readField(source, row, toRead[key]);
    columns.policyChosen[at] = get("policyChosen") ?? NaN; // needed by every loss
    const rejectedLogp = get("policyRejected");
    note(rejected, rejectedLogp !== undefined, row);
    columns.policyRejected[at] = rejectedLogp ?? 0;
    const chosenReference = get("referenceChosen");
    const rejectedReference = get("referenceRejected");
    const hasReference = chosenReference !== undefined && rejectedReference !== undefined;
    note(reference, hasReference, row);
    columns.referenceChosen[at] = hasReference ? chosenReference : 0;
    columns.referenceRejected[at] = hasReference ? rejectedReference : 0;
    columns.chosenLengths[at] = get("chosenLengths") ?? 1;
    // Without a loss that sees the rejected completion, nothing depends on its length.
    columns.rejectedLengths[at] = needs.policyRejected ? (get("rejectedLengths") ?? 1) : 1;
    columns.rewardMargin[at] = get("rewardMargin") ?? 0;
  }

  return { batches: batches(), reference, rejected };
}

function note(presence: Presence, isPresent: boolean, [number]: Row): void {
  if (isPresent) presence.present++;
  else if (presence.absent++ === 0) presence.firstAbsent = number;
}

export function grown(values: Float64Array<ArrayBuffer>, capacity: number): Float64Array<ArrayBuffer> {
  const larger = new Float64Array(capacity);
  larger.set(values);
  return larger;
}

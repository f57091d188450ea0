// Rows of a file become batches of pairs for `pairLoss`.

import type { Needs } from "../plan/needs.ts";
import type { PairLogps } from "../types.ts";
import { kindOfJson, refusal } from "./refusal.ts";
import type { Row, Source } from "./source.ts";

interface Field {
  readonly key: Exclude<keyof PairLogps, "pairWeights">;
  readonly group: "policy" | "reference" | "lengths";
  /** How files spell it: the usual column first, the interface's own name last. */
  readonly names: readonly string[];
}

const field = (key: Field["key"], group: Field["group"], ...names: string[]): Field => ({
  key,
  group,
  names: [...names, key],
});

const fields = [
  field("policyChosen", "policy", "policy_chosen_logps"),
  field("policyRejected", "policy", "policy_rejected_logps"),
  field("referenceChosen", "reference", "ref_chosen_logps", "reference_chosen_logps"),
  field("referenceRejected", "reference", "ref_rejected_logps", "reference_rejected_logps"),
  field("chosenLengths", "lengths", "chosen_length", "chosen_lengths"),
  field("rejectedLengths", "lengths", "rejected_length", "rejected_lengths"),
] as const;

/** Every name that a column may bear. */
export const fieldNames: readonly string[] = fields.flatMap((field) => field.names);

export interface ReadOptions {
  needs: Needs;
  /** Pairs per batch; Infinity puts the whole file into one. */
  batchSize: number;
  /** Refuses NaN and infinities. */
  finite: boolean;
}

/** Some pairs of a file. The arrays are used again for the next batch. */
export interface Batch {
  readonly pairs: PairLogps;
  /** The line or row of each pair. */
  readonly rows: Float64Array;
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

type Columns = Record<Field["key"], Float64Array<ArrayBuffer>>;

/**
 * The pairs of a source in batches, all but the last of the same size. Be done with a batch before asking for the next.
 *
 * A field is absent where it is null or missing under all its names. Where no loss needs it, 0 stands for a
 * log-probability, and a completion without a length counts as not empty.
 *
 * Throws    a refusal that names file, line and field
 */
export function readPairs(source: Source, { needs, batchSize, finite }: ReadOptions): PairReader {
  const reference: Presence = { present: 0, absent: 0, firstAbsent: 0 };
  const rejected: Presence = { present: 0, absent: 0, firstAbsent: 0 };

  async function* batches(): AsyncGenerator<Batch> {
    let capacity = Math.min(batchSize, 65536);
    let rows = new Float64Array(capacity);
    const columns = Object.fromEntries(fields.map(({ key }) => [key, new Float64Array(capacity)])) as Columns;
    let count = 0;
    const batch = (): Batch => {
      const values = fields.map(({ key }) => [key, columns[key].subarray(0, count)]);
      return { pairs: Object.fromEntries(values) as PairLogps, rows: rows.subarray(0, count) };
    };
    for await (const block of source.rows) {
      for (const row of block) {
        if (count === capacity) {
          capacity = Math.min(batchSize, capacity * 2);
          rows = grown(rows, capacity);
          for (const { key } of fields) columns[key] = grown(columns[key], capacity);
        }
        rows[count] = row[0];
        readRow(row, columns, count);
        if (++count < batchSize) continue;
        yield batch();
        count = 0;
      }
    }
    if (count > 0) yield batch();
  }

  function readRow(row: Row, columns: Columns, at: number): void {
    const [policyChosen, policyRejected, referenceChosen, referenceRejected, chosenLengths, rejectedLengths] = fields;
    const get = (field: Field): number | undefined => read(row, field, needs[field.key]);
    columns.policyChosen[at] = get(policyChosen) ?? NaN; // needed by every loss
    const rejectedLogp = get(policyRejected);
    note(rejected, rejectedLogp !== undefined, row);
    columns.policyRejected[at] = rejectedLogp ?? 0;
    const chosenReference = get(referenceChosen);
    const rejectedReference = get(referenceRejected);
    const hasReference = chosenReference !== undefined && rejectedReference !== undefined;
    note(reference, hasReference, row);
    columns.referenceChosen[at] = hasReference ? chosenReference : 0;
    columns.referenceRejected[at] = hasReference ? rejectedReference : 0;
    columns.chosenLengths[at] = get(chosenLengths) ?? 1;
    // Without a loss that sees the rejected completion, nothing depends on its length.
    columns.rejectedLengths[at] = needs.policyRejected ? (get(rejectedLengths) ?? 1) : 1;
  }

  function read([number, values]: Row, { group, names }: Field, needed: string | undefined): number | undefined {
    const refuse = (name: string | undefined, problem: string): Error =>
      refusal(`${source.place(number)}: ${name}: ${problem}`);
    const name = names.find((name) => (values[name] ?? null) !== null);
    if (name === undefined) {
      if (!needed) return undefined;
      const empty = names.find((name) => Object.hasOwn(values, name));
      throw empty ? refuse(empty, "expected a number, got null") : refuse(names[0], `missing (needed by ${needed})`);
    }
    const value = toNumber(values[name]);
    const expected =
      value === undefined
        ? "a number"
        : group === "lengths" && !(Number.isSafeInteger(value) && value >= 0)
          ? "a number of tokens"
          : finite && !Number.isFinite(value)
            ? "a finite number"
            : undefined;
    if (expected) throw refuse(name, `expected ${expected}, got ${kindOfJson(value ?? values[name])}`);
    return value;
  }

  return { batches: batches(), reference, rejected };
}

function note(presence: Presence, isPresent: boolean, [number]: Row): void {
  if (isPresent) presence.present++;
  else if (presence.absent++ === 0) presence.firstAbsent = number;
}

function grown(values: Float64Array<ArrayBuffer>, capacity: number): Float64Array<ArrayBuffer> {
  const larger = new Float64Array(capacity);
  larger.set(values);
  return larger;
}

const spelled: ReadonlyMap<unknown, number> = new Map([
  ["NaN", NaN],
  ["Infinity", Infinity],
  ["-Infinity", -Infinity],
]);

const toNumber = (value: unknown): number | undefined =>
  typeof value === "number" ? value : typeof value === "bigint" ? Number(value) : spelled.get(value);

// Rows of a file become batches of pairs for `pairLoss`.

import type { PairLogps } from "../types.ts";
import { refusal } from "./refusal.ts";
import type { Row, Source } from "./source.ts";

interface Field {
  readonly key: keyof PairLogps;
  readonly group: "policy" | "reference" | "lengths";
  /** How files spell it: the usual column first, the interface's own name last. */
  readonly names: readonly string[];
}

const field = (key: Field["key"], group: Field["group"], ...names: string[]): Field => ({
  key,
  group,
  names: [...names, key],
});

const fields: readonly Field[] = [
  field("policyChosen", "policy", "policy_chosen_logps"),
  field("policyRejected", "policy", "policy_rejected_logps"),
  field("referenceChosen", "reference", "ref_chosen_logps", "reference_chosen_logps"),
  field("referenceRejected", "reference", "ref_rejected_logps", "reference_rejected_logps"),
  field("chosenLengths", "lengths", "chosen_length", "chosen_lengths"),
  field("rejectedLengths", "lengths", "rejected_length", "rejected_lengths"),
];

/** Every name that a column may bear. */
export const fieldNames: readonly string[] = fields.flatMap((field) => field.names);

/** The groups of fields that the losses cannot do without, each with a loss that needs it. */
export type Needs = Readonly<Partial<Record<Field["group"], string | undefined>>>;

export interface ReadOptions {
  needs: Needs;
  /** Pairs per batch; Infinity puts the whole file into one. */
  batchSize: number;
  /** Refuses NaN and infinities. */
  finite: boolean;
}

interface Column extends Field {
  values: Float64Array;
}

/**
 * The pairs of a source in batches, all but the last of the same size. The arrays are used again: be done with a batch
 * before asking for the next one.
 *
 * A reference that no loss needs is read if the first pair has one, for the rewards. Where no loss needs lengths, a
 * completion without one counts as not empty.
 *
 * Throws    a refusal that names file, line and field
 */
export async function* readPairs(source: Source, options: ReadOptions): AsyncGenerator<PairLogps> {
  const { needs, batchSize } = options;
  let columns: Column[] | undefined;
  let capacity = Math.min(batchSize, 65536);
  let count = 0;
  for await (const block of source.rows) {
    for (const row of block) {
      columns ??= fields
        .filter((field) => field.group !== "reference" || needs.reference || nameIn(row, field))
        .map((field) => ({ ...field, values: new Float64Array(capacity) }));
      if (count === capacity) {
        capacity = Math.min(batchSize, capacity * 2);
        for (const column of columns) column.values = grown(column.values, capacity);
      }
      for (const column of columns) column.values[count] = read(row, column, source, options);
      if (++count < batchSize) continue;
      yield batch(columns, count);
      count = 0;
    }
  }
  if (columns && count > 0) yield batch(columns, count);
}

/** The columns bear keys of PairLogps, the policy's always among them. */
const batch = (columns: readonly Column[], count: number): PairLogps =>
  Object.fromEntries(columns.map(({ key, values }) => [key, values.subarray(0, count)])) as unknown as PairLogps;

function grown(values: Float64Array, capacity: number): Float64Array {
  const larger = new Float64Array(capacity);
  larger.set(values);
  return larger;
}

const nameIn = ([, values]: Row, field: Field): string | undefined => field.names.find((name) => name in values);

const spelled: ReadonlyMap<unknown, number> = new Map([
  ["NaN", NaN],
  ["Infinity", Infinity],
  ["-Infinity", -Infinity],
]);

function read(row: Row, field: Field, source: Source, { needs, finite }: ReadOptions): number {
  const name = nameIn(row, field);
  if (name === undefined) {
    const by = needs[field.group];
    if (field.group === "lengths" && !by) return 1;
    const why = by ? `needed by ${by}` : "the first pair has it";
    throw refusal(`${source.place(row[0])}: ${field.names[0]}: missing (${why})`);
  }
  const value = row[1][name];
  const number = typeof value === "number" ? value : typeof value === "bigint" ? Number(value) : spelled.get(value);
  const refuse = (expected: string): Error =>
    refusal(`${source.place(row[0])}: ${name}: expected ${expected}, got ${describe(value)}`);
  if (number === undefined) throw refuse("a number");
  if (field.group === "lengths" && !(Number.isInteger(number) && number >= 0)) throw refuse("a number of tokens");
  if (finite && !Number.isFinite(number)) throw refuse("a finite number");
  return number;
}

/** Never the text of a string: it may be a prompt that stands in the wrong column. */
function describe(value: unknown): string {
  if (typeof value === "number" || typeof value === "bigint" || spelled.has(value)) return String(value);
  if (value === null || value === undefined) return "null";
  if (Array.isArray(value)) return "an array";
  return typeof value === "object" ? "an object" : `a ${typeof value}`;
}

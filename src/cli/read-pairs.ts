// Rows of a file become batches of pairs for `pairLoss`.

import { meantBy } from "../checks/hints.ts";
import { printable, quoted } from "../checks/printable.ts";
import { type PairColumn, pairColumns } from "../losses/kinds.ts";
import type { Needs } from "../plan/needs.ts";
import type { PairLogps } from "../types.ts";
import { kindOfJson, refusal } from "./refusal.ts";
import type { Row, Source } from "./rows.ts";

interface Field {
  readonly key: FileColumn;
  readonly group: (typeof pairColumns)[number]["of"];
  /** How files spell it: the usual column first, the interface's own name last. */
  readonly names: readonly string[];
}

type FileColumn = Exclude<PairColumn, "pairWeights">;

/** TRL's names of every age. */
const namesInFiles: Readonly<Record<FileColumn, readonly string[]>> = {
  policyChosen: ["policy_chosen_logps", "chosen_logps"],
  policyRejected: ["policy_rejected_logps", "rejected_logps"],
  referenceChosen: ["ref_chosen_logps", "reference_chosen_logps"],
  referenceRejected: ["ref_rejected_logps", "reference_rejected_logps"],
  chosenLengths: ["chosen_length", "chosen_lengths"],
  rejectedLengths: ["rejected_length", "rejected_lengths"],
  rewardMargin: ["reward_margin", "reward_margins"],
};

/** Each field of a pair. */
const fields: readonly Field[] = pairColumns.flatMap(({ name: key, of: group }) =>
  key === "pairWeights" ? [] : [{ key, group, names: [...namesInFiles[key], key] }],
);

const byKey = Object.fromEntries(fields.map((field) => [field.key, field])) as Readonly<Record<FileColumn, Field>>;

/** Columns that bear other names: the usual name of the field -> the column. */
export type ColumnMap = Readonly<Record<string, string>>;

const usualNames = fields.map(({ names }) => names[0] ?? "");

/** Adds `policy_chosen_logps=my_column` to a map. */
export function addToMap(text: string, map: ColumnMap = {}): ColumnMap {
  const at = text.indexOf("=");
  const name = text.slice(0, at);
  const field = fields.find(({ names }) => names.includes(name));
  if (at < 1 || at === text.length - 1 || !field) {
    throw refusal(`--map: expected FIELD=COLUMN, FIELD one of ${usualNames.join(", ")}; got ${quoted(text)}`);
  }
  return { ...map, [field.names[0] ?? ""]: text.slice(at + 1) };
}

/** The names of a field: the column that the map gives it, or the usual ones. */
function namesOf({ names }: Field, map: ColumnMap): readonly string[] {
  const [usual = ""] = names;
  const mapped = Object.hasOwn(map, usual) ? map[usual] : undefined;
  return mapped === undefined ? names : [mapped];
}

/** The field that a column of this name is read as, by its usual name. */
export const fieldOf = (column: string): string | undefined =>
  fields.find(({ names }) => names.includes(column))?.names[0];

/** The usual names of what the losses need and the row does not have. */
export const missingIn = ([, values]: Row, needs: Needs, map: ColumnMap): string[] =>
  fields
    .filter((field) => needs[field.key] && namesOf(field, map).every((name) => (values[name] ?? null) === null))
    .map(({ names }) => names[0] ?? "");

/** Every name that a column may bear. */
export const columnNames = (map: ColumnMap): readonly string[] => fields.flatMap((field) => namesOf(field, map));

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

type Columns = Record<Field["key"], Float64Array<ArrayBuffer>>;

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
  const namesByKey = new Map(fields.map((field) => [field.key, namesOf(field, map)]));
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
    const get = (key: FileColumn): number | undefined => read(row, byKey[key], needs[key]);
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

  function read([number, values]: Row, { key, group }: Field, needed: string | undefined): number | undefined {
    const names = namesByKey.get(key) ?? [];
    const refuse = (name: string | undefined, problem: string): Error =>
      refusal(`${source.place(number)}: ${name}: ${problem}`);
    const name = names.find((name) => (values[name] ?? null) !== null);
    if (name === undefined) {
      if (!needed) return undefined;
      const empty = names.find((name) => Object.hasOwn(values, name));
      if (empty) throw refuse(empty, "expected a number, got null");
      const others = (source.columns ?? Object.keys(values)).filter((name) => !known.includes(name));
      throw refuse(names[0], `missing (needed by ${needed})${alternatives(names, others)}`);
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

/** The columns that are there, so that a name misspelt or of another's making is seen. */
function alternatives(names: readonly string[], others: readonly string[]): string {
  if (others.length === 0) return "";
  const near = names.flatMap((name) => meantBy(name, others))[0];
  if (near !== undefined) return `; did you mean ${printable(near)}? (--map ${names[0]}=${printable(near)})`;
  const shown = others.slice(0, mostNames).map(printable).join(", ");
  return `; beside it there are ${shown}${others.length > mostNames ? ", …" : ""} (--map ${names[0]}=COLUMN)`;
}

const mostNames = 12;

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

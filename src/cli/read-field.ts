// One field of a row of a file, under whichever name it bears there.

import { meantBy } from "../checks/hints.ts";
import { printable } from "../checks/printable.ts";
import { kindOfJson, refusal } from "./refusal.ts";
import type { Row, Source } from "./rows.ts";

export interface FieldToRead {
  /** The names it may bear, the usual one first. */
  readonly names: readonly string[];
  readonly kind: "number" | "length" | "label";
  /** The loss that cannot do without it, if any. */
  readonly needed: string | undefined;
  /** Refuses NaN and infinities. */
  readonly finite: boolean;
  /** The names of all fields, which are not offered as another name of this one. */
  readonly known: readonly string[];
}

/**
 * The value of a field: a number, or 1 and 0 for a label; undefined where it is null or missing under all its names.
 *
 * Throws    a refusal that names file, line and field, for another value, and if a loss needs what is not there
 */
export function readField(source: Source, [number, values]: Row, field: FieldToRead): number | undefined {
  const { names, kind, finite } = field;
  const refuse = (name: string | undefined, problem: string): Error =>
    refusal(`${source.place(number)}: ${name}: ${problem}`);
  const name = names.find((name) => (values[name] ?? null) !== null);
  if (name === undefined) {
    if (!field.needed) return undefined;
    const empty = names.find((name) => Object.hasOwn(values, name));
    if (empty) throw refuse(empty, `expected ${kind === "label" ? labelText : "a number"}, got null`);
    throw refuse(names[0], missing(source, values, field));
  }
  const value = kind === "label" ? toLabel(values[name]) : toNumber(values[name]);
  const isRight = value !== undefined && (kind !== "length" || (Number.isSafeInteger(value) && value >= 0));
  if (isRight && (!finite || Number.isFinite(value))) return value;
  const isLength = kind === "length" && value !== undefined;
  const expected = isRight
    ? "a finite number"
    : kind === "label"
      ? labelText
      : isLength
        ? "a number of tokens"
        : "a number";
  throw refuse(name, `expected ${expected}, got ${kindOfJson(value ?? values[name])}`);
}

const labelText = "true or false";

/** That a field is missing, and the columns that are there, so that a name misspelt or of another's making is seen. */
export function missing(source: Source, values: Row[1], { names, needed, known }: FieldToRead): string {
  const others = (source.columns ?? Object.keys(values)).filter((name) => !known.includes(name));
  return `missing (needed by ${needed})${alternatives(names, others)}`;
}

function alternatives(names: readonly string[], others: readonly string[]): string {
  if (others.length === 0) return "";
  const near = names.flatMap((name) => meantBy(name, others))[0];
  if (near !== undefined) return `; did you mean ${printable(near)}? (--map ${names[0]}=${printable(near)})`;
  const shown = others.slice(0, mostNames).map(printable).join(", ");
  return `; beside it there are ${shown}${others.length > mostNames ? ", …" : ""} (--map ${names[0]}=COLUMN)`;
}

const mostNames = 12;

const spelled: ReadonlyMap<unknown, number> = new Map([
  ["NaN", NaN],
  ["Infinity", Infinity],
  ["-Infinity", -Infinity],
]);

const toNumber = (value: unknown): number | undefined =>
  typeof value === "number" ? value : typeof value === "bigint" ? Number(value) : spelled.get(value);

const labels: ReadonlyMap<unknown, number> = new Map<unknown, number>([
  [true, 1],
  [false, 0],
  [1, 1],
  [0, 0],
  [1n, 1],
  [0n, 0],
]);

const toLabel = (value: unknown): number | undefined => labels.get(value);

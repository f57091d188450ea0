// What the fields of pairs and of rows are called in files, and the columns that a user gives other names.

import { quoted } from "../checks/printable.ts";
import { type PairColumn, pairColumns, type RowColumn, rowColumns } from "../losses/kinds.ts";
import { refusal } from "./refusal.ts";

export type PairField = Exclude<PairColumn, "pairWeights">;
export type RowField = Exclude<RowColumn, "rowWeights"> | "klPolicy" | "klReference";

/** TRL's names of every age, the usual one first; the interface's own is read too. */
const pairNames: Readonly<Record<PairField, readonly string[]>> = {
  policyChosen: ["policy_chosen_logps", "chosen_logps"],
  policyRejected: ["policy_rejected_logps", "rejected_logps"],
  referenceChosen: ["ref_chosen_logps", "reference_chosen_logps"],
  referenceRejected: ["ref_rejected_logps", "reference_rejected_logps"],
  chosenLengths: ["chosen_length", "chosen_lengths"],
  rejectedLengths: ["rejected_length", "rejected_lengths"],
  rewardMargin: ["reward_margin", "reward_margins"],
};

const rowNames: Readonly<Record<RowField, readonly string[]>> = {
  policy: ["policy_logps", "completion_logps", "policy_completion_logps", "logps"],
  reference: ["ref_logps", "reference_logps", "ref_completion_logps", "reference_completion_logps"],
  desirable: ["label", "labels"],
  lengths: ["length", "completion_length"],
  densityRatio: ["density_ratio"],
  klPolicy: ["kl_policy_logps", "kl_logps", "KL_logps", "policy_kl_logps", "policy_KL_logps", "KL_policy_logps"],
  klReference: [
    ...["kl_ref_logps", "kl_reference_logps", "reference_KL_logps", "ref_kl_logps"],
    ...["KL_ref_logps", "ref_KL_logps"],
  ],
};

export interface Field<K> {
  readonly key: K;
  readonly kind: "number" | "length" | "label";
  /** How files spell it: the usual column first, the interface's own name last. */
  readonly names: readonly string[];
}

const kindOf = (of: string): Field<unknown>["kind"] =>
  of === "lengths" ? "length" : of === "labels" ? "label" : "number";

/** Each field of a pair. */
export const pairFields: readonly Field<PairField>[] = pairColumns.flatMap(({ name: key, of }) =>
  key === "pairWeights" ? [] : [{ key, kind: kindOf(of), names: [...pairNames[key], key] }],
);

/** Each field of a row. */
export const rowFields: readonly Field<RowField>[] = [
  ...rowColumns.flatMap(({ name: key, of }) =>
    key === "rowWeights" ? [] : [{ key, kind: kindOf(of), names: [...rowNames[key], key] }],
  ),
  ...(["klPolicy", "klReference"] as const).map((key) => ({
    key,
    kind: "number" as const,
    names: [...rowNames[key], key],
  })),
];

const fields: readonly Field<PairField | RowField>[] = [...pairFields, ...rowFields];

/** Columns that bear other names: the usual name of the field -> the column. */
export type ColumnMap = Readonly<Record<string, string>>;

/** Adds `policy_chosen_logps=my_column` to a map. */
export function addToMap(text: string, map: ColumnMap = {}): ColumnMap {
  const at = text.indexOf("=");
  const name = text.slice(0, at);
  const field = fields.find(({ names }) => names.includes(name));
  if (at < 1 || at === text.length - 1 || !field) {
    const usual = fields.map(({ names }) => names[0]).join(", ");
    throw refusal(`--map: expected FIELD=COLUMN, FIELD one of ${usual}; got ${quoted(text)}`);
  }
  return { ...map, [field.names[0] ?? ""]: text.slice(at + 1) };
}

/** The names of a field: the column that the map gives it, or the usual ones. */
export function namesOf({ names }: Field<unknown>, map: ColumnMap): readonly string[] {
  const [usual = ""] = names;
  const mapped = Object.hasOwn(map, usual) ? map[usual] : undefined;
  return mapped === undefined ? names : [mapped];
}

/** The field that a column of this name is read as, by its usual name. */
export const fieldOf = (column: string): string | undefined =>
  fields.find(({ names }) => names.includes(column))?.names[0];

/** Every name that a column may bear. */
export const columnNames = (map: ColumnMap): readonly string[] => fields.flatMap((field) => namesOf(field, map));

// Rows of files as the examples of a training: texts and messages through the tokenizer, token lists as they are.

import type { Unit } from "../../losses/kinds.ts";
import { isTextRow } from "../../text/examples.ts";
import type { TextTokenizer, TokenizeOptions } from "../../text.ts";
import type { TrainExample } from "../../train.ts";
import { type PairField, pairFields, type RowField, rowFields } from "../field-names.ts";
import { openAll } from "../loss.ts";
import { readField } from "../read-field.ts";
import { refusal } from "../refusal.ts";
import type { Row, Source } from "../rows.ts";
import { joinSources } from "../source.ts";
import { checkCompletions, notesOnRows, tokenizeRows } from "../tokenize-rows.ts";

export interface Examples {
  readonly examples: readonly TrainExample[];
  readonly unit: Unit;
  /** Whether all of them bring these numbers. */
  have(keys: readonly string[]): boolean;
  place(i: number): string;
  readonly notes: readonly string[];
}

const completions = [
  ...["chosen", "rejected", "completion", "chosen_ids", "rejected_ids", "completion_ids"],
  ...["chosen_input_ids", "rejected_input_ids", "completion_input_ids"],
];

/** Throws    a refusal that names file, line and field */
export async function readExamples(
  paths: readonly string[],
  tokenizer: TextTokenizer | undefined,
  options: TokenizeOptions,
): Promise<Examples> {
  const source = joinSources(await openAll(paths, "all"));
  const rows: Row[] = [];
  for await (const block of source.rows) rows.push(...block);
  const [first] = rows;
  if (!first) throw refusal(`${paths.join(", ")}: no rows`);
  for (const row of rows) checkCompletions(source, row, completions);
  const isText = isTextRow(first[1]);
  if (isText && !tokenizer) throw refusal(`${source.place(first[0])}: expected token lists, got texts`);
  const { lists, kept, warnings } =
    isText && tokenizer
      ? tokenizeRows(source, rows, tokenizer, options)
      : { lists: rows.map(([, fields]) => fields), kept: [...rows.keys()], warnings: [] };
  if (lists.length === 0) throw refusal(`--max-length: every prompt fills it, which leaves no pair`);
  const counts = new Map(warnings.map(({ kind, count }) => [kind as string, count]));
  const unit = completions.some((name) => name.startsWith("completion") && name in first[1]) ? "row" : "pair";
  const examples = lists.map((list, k) => withNumbers(source, rows[kept[k] as number] as Row, list));
  return {
    examples,
    unit,
    have: (keys) => examples.every((example) => keys.every((key) => key in example)),
    place: (i) => source.place(rows[kept[i] as number]?.[0] ?? 0),
    notes: notesOnRows(counts, rows.length, unit),
  };
}

const pairNames = (key: PairField): readonly string[] => pairFields.find((field) => field.key === key)?.names ?? [];
const rowNames = (key: RowField): readonly string[] => rowFields.find((field) => field.key === key)?.names ?? [];

/** Columns of numbers that go along, by the names that they may bear. */
const columns = {
  refChosenLogps: [...pairNames("referenceChosen"), "refChosenLogps"],
  refRejectedLogps: [...pairNames("referenceRejected"), "refRejectedLogps"],
  rewardMargin: pairNames("rewardMargin"),
  refLogps: [...rowNames("reference"), "refLogps"],
  refKlLogps: [...rowNames("klReference"), "refKlLogps"],
};

function withNumbers(source: Source, row: Row, list: object): TrainExample {
  const numbers = Object.entries(columns).flatMap(([key, names]) => {
    const value = readField(source, row, { names, kind: "number", needed: undefined, finite: true, known: names });
    return value === undefined ? [] : [[key, value] as const];
  });
  return { ...(list as TrainExample), ...Object.fromEntries(numbers) };
}

/** As `score` writes them. */
export const usualNames = {
  ...{ refChosenLogps: "ref_chosen_logps", refRejectedLogps: "ref_rejected_logps" },
  ...{ refLogps: "ref_logps", refKlLogps: "ref_KL_logps" },
};

/** The columns that a precomputed reference of these losses is: those of a pair, or of a row and what kto compares it with. */
export function referenceColumns(unit: Unit, lossTypes: readonly string[]): readonly (keyof typeof usualNames)[] {
  if (unit === "pair") return ["refChosenLogps", "refRejectedLogps"];
  return lossTypes.includes("kto") ? ["refLogps", "refKlLogps"] : ["refLogps"];
}

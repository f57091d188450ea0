// Rows of files through a tokenizer; what is wrong with one is said with file and line.

import { printable } from "../checks/printable.ts";
import { DpoError } from "../errors.ts";
import type { Unit } from "../losses/kinds.ts";
import { formOf, type RowForm, readRow } from "../text/read-rows.ts";
import type { TokenizedPair, TokenizedRow } from "../text/types.ts";
import { type TextTokenizer, type TextWarning, type TokenizeOptions, tokenizePairs } from "../text.ts";
import { kindOfJson, refusal } from "./refusal.ts";
import type { Row, Source } from "./rows.ts";

export interface Tokenized {
  readonly lists: readonly (TokenizedPair | TokenizedRow)[];
  /** Which of the rows they are: those whose prompt fills the longest length are left out. */
  readonly kept: readonly number[];
  readonly warnings: readonly TextWarning[];
}

export function tokenizeRows(
  source: Pick<Source, "place">,
  rows: readonly Row[],
  tokenizer: TextTokenizer,
  options: TokenizeOptions,
): Tokenized {
  for (const row of rows) checkTexts(source, row);
  const warnings: TextWarning[] = [];
  const lists = naming(source, rows, () =>
    tokenizePairs(
      rows.map(([, fields]) => withNumbers(fields) as never),
      tokenizer,
      { ...options, onWarning: (warning) => warnings.push(warning) },
    ),
  );
  const dropped = new Set(warnings.find(({ kind }) => kind === "dropped")?.rows);
  return { lists, kept: [...rows.keys()].filter((i) => !dropped.has(i)), warnings };
}

const meanings = {
  dropped: "dropped, since the prompt alone fills --max-length",
  boundary:
    "begin within the prompt's tokens: tokens merge across the boundary, or the chat template shows the prompt alone in another way",
  empty: "have a completion without tokens",
  same: "have the same tokens as chosen and rejected",
  unended: "lack the end token, which the chat template does not append",
} as const;

/** What is to be said of so many rows of each kind. */
export const notesOnRows = (counts: ReadonlyMap<string, number>, total: number, unit: Unit): string[] =>
  Object.entries(meanings).flatMap(([kind, text]) =>
    counts.has(kind) ? `${counts.get(kind)} of ${total} ${unit}s ${text}` : [],
  );

/** Checks block after block what can be told of rows before there is a tokenizer: that all have the form of the first. */
export function formChecker(source: Pick<Source, "place">): (rows: readonly Row[]) => void {
  let form: RowForm | undefined;
  return (rows) => {
    for (const row of rows) checkTexts(source, row);
    naming(source, rows, () => {
      for (const [i, [, fields]] of rows.entries()) {
        form ??= formOf(fields, `rows[${i}]`);
        readRow(fields, form, `rows[${i}]`);
      }
    });
  };
}

/** Says what no tokenizer would say in the words of files. */
function checkTexts(source: Pick<Source, "place">, [number, fields]: Row): void {
  for (const name of ["prompt", "chosen", "rejected", "completion"]) {
    const value = fields[name];
    if (typeof value !== "symbol") continue;
    throw refusal(`${source.place(number)}: ${name}: expected a text or messages, got ${kindOfJson(value)}`);
  }
}

/** Says of a row without completions which columns it has. */
export function checkCompletions(source: Pick<Source, "place">, [number, fields]: Row, names: readonly string[]): void {
  if (names.some((name) => (fields[name] ?? null) !== null)) return;
  const columns = Object.keys(fields).slice(0, 12).map(printable).join(", ");
  throw refusal(
    `${source.place(number)}: expected columns ${names.slice(0, 2).join(" and ")}, got ${columns || "none"}`,
  );
}

/** Integers of 64 bits, as Parquet has them, are no numbers to a chat template. */
function withNumbers(value: unknown): unknown {
  if (typeof value === "bigint") return Number.isSafeInteger(Number(value)) ? Number(value) : String(value);
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map(withNumbers);
  return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, withNumbers(part)]));
}

/** Refusals of rows name file and line. */
function naming<T>(source: Pick<Source, "place">, rows: readonly Row[], work: () => T): T {
  try {
    return work();
  } catch (error) {
    const [, at, rest = ""] = /^rows\[(\d+)\][.:]?\s*(.*)$/s.exec(error instanceof DpoError ? error.message : "") ?? [];
    if (at === undefined) throw error;
    throw refusal(`${source.place(rows[Number(at)]?.[0] ?? 0)}: ${rest}`);
  }
}

// Rows of data through the tokenizer and the models.

import { printable } from "../../checks/printable.ts";
import { mismatch } from "../../collate/mismatch.ts";
import { createWasm } from "../../index.ts";
import type { Unit } from "../../losses/kinds.ts";
import { createScorer, type Scorer, type TokenizedPair, type TokenizedRow } from "../../text.ts";
import type { ColumnMap } from "../field-names.ts";
import { refusal } from "../refusal.ts";
import type { Row, Source } from "../rows.ts";
import { tokenizeRows } from "../tokenize-rows.ts";
import { type Dtype, loadModel, loadTokenizer } from "./load.ts";
import type { Scored, Shard } from "./shards.ts";

/** What of a job says how rows are scored. */
export interface ScoreSettings {
  readonly model: string;
  readonly reference: string | undefined;
  readonly out: string;
  readonly maxLength: number | undefined;
  readonly truncationMode: "keep_start" | "keep_end";
  readonly dtype: Dtype;
  readonly batchTokens: number;
  /** Threads of a model; they say how fast it is, not what it gives. */
  readonly threads: number | undefined;
  /** What the data are: pairs, or completions with a label each. */
  readonly unit: Unit;
  /** How many rows exchange their completions for the mismatched rows of KTO; undefined where no loss reads them. */
  readonly mismatched: number | undefined;
}

/** The columns that are added under TRL's names, by the usual names of what the loss reads. */
export const scoredColumns: Readonly<Record<Unit, ColumnMap>> = {
  pair: {
    ...{ policy_chosen_logps: "chosen_logps", policy_rejected_logps: "rejected_logps" },
    ...{ ref_chosen_logps: "ref_chosen_logps", ref_rejected_logps: "ref_rejected_logps" },
    ...{ chosen_length: "chosen_length", rejected_length: "rejected_length" },
  },
  row: {
    ...{ policy_logps: "logps", ref_logps: "ref_logps", length: "completion_length" },
    ...{ kl_policy_logps: "KL_logps", kl_ref_logps: "ref_KL_logps" },
  },
};

/** What a row of data is. Throws    a refusal for one without completions, naming its columns */
export function unitOfData(source: Pick<Source, "place">, [number, fields]: Row): Unit {
  const has = (name: string): boolean => (fields[name] ?? null) !== null;
  if (has("chosen") || has("rejected")) return "pair";
  if (has("completion")) return "row";
  const columns = Object.keys(fields).slice(0, 12).map(printable).join(", ");
  const expected = "expected columns chosen and rejected, or prompt, completion and label";
  throw refusal(`${source.place(number)}: ${expected}, got ${columns || "none"}`);
}

/** The models, loaded when the first shard needs them. */
export async function openScorers(
  job: ScoreSettings,
  source: Pick<Source, "place">,
): Promise<(rows: readonly Row[]) => Promise<Shard>> {
  const { model, reference, dtype, batchTokens, maxLength, truncationMode, threads } = job;
  const backend = await createWasm();
  const { tokenizer, chatTemplate } = await loadTokenizer(model);
  const scorerOf = async (folder: string): Promise<Scorer> =>
    createScorer({
      ...{ model: await loadModel(folder, dtype, threads), tokenizer, backend, batchTokens, truncationMode },
      ...(maxLength !== undefined && { maxLength }),
    });
  const policy = await scorerOf(model);
  const before = reference === undefined ? policy : await scorerOf(reference);
  return async (rows) => {
    checkRows(source, rows, job);
    const options = { maxLength, truncationMode, chatTemplate };
    const { lists, kept, warnings } = tokenizeRows(source, rows, tokenizer, options);
    const columns =
      lists.length === 0
        ? {}
        : job.unit === "pair"
          ? await columnsOfPairs(lists as readonly TokenizedPair[], policy, before)
          : await columnsOfRows(lists as readonly TokenizedRow[], policy, before, job.mismatched);
    const scored: Scored[] = rows.map(() => null);
    for (const [k, i] of kept.entries()) scored[i] = Object.values(columns).map((values) => values[k] as number);
    const counts = Object.fromEntries(warnings.map(({ kind, count }) => [kind, count]));
    return { columns: Object.keys(columns), rows: scored, warnings: counts };
  };
}

type Columns = Readonly<Record<string, ArrayLike<number>>>;

async function columnsOfPairs(pairs: readonly TokenizedPair[], policy: Scorer, before: Scorer): Promise<Columns> {
  const own = await policy.logps(pairs);
  const theirs = before === policy ? own : await before.logps(pairs);
  return {
    ...{ ref_chosen_logps: theirs.chosenLogps, ref_rejected_logps: theirs.rejectedLogps },
    ...{ chosen_logps: own.chosenLogps, rejected_logps: own.rejectedLogps },
    ...{ chosen_length: own.chosenLengths, rejected_length: own.rejectedLengths },
  };
}

async function columnsOfRows(
  rows: readonly TokenizedRow[],
  policy: Scorer,
  before: Scorer,
  mismatched: number | undefined,
): Promise<Columns> {
  const scoresOf = async (lists: readonly TokenizedRow[]) => {
    const own = await policy.logps(lists);
    return { own, theirs: before === policy ? own : await before.logps(lists) };
  };
  const { own, theirs } = await scoresOf(rows);
  const others = mismatched === undefined ? undefined : await scoresOf(mismatch(rows, mismatched));
  return {
    ...{ ref_logps: theirs.logps, logps: own.logps },
    ...(others && { ref_KL_logps: others.theirs.logps, KL_logps: others.own.logps }),
    completion_length: own.lengths,
  };
}

/** Says what no tokenizer would say in the words of files. */
export function checkRows(source: Pick<Source, "place">, rows: readonly Row[], { unit, out }: ScoreSettings): void {
  for (const row of rows) {
    const [number, fields] = row;
    const refuse = (text: string): Error => refusal(`${source.place(number)}: ${text}`);
    for (const name of ["prompt", "chosen", "rejected", "completion"]) {
      const value = fields[name];
      if (typeof value !== "object" || value === null || !/\.csv$/i.test(out)) continue;
      throw refuse(`${name}: messages go into .jsonl or .parquet, and --out is ${printable(out)}`);
    }
    if (unitOfData(source, row) === unit) continue;
    const [expected, got] = unit === "pair" ? ["chosen and rejected", "a completion"] : ["a completion", "a pair"];
    throw refuse(`expected ${expected}, as in the first row, got ${got}`);
  }
}

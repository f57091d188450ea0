// Rows of data through the tokenizer and the models.

import { printable } from "../../checks/printable.ts";
import { DpoError } from "../../errors.ts";
import { createWasm } from "../../index.ts";
import { createScorer, type Scorer, type TextWarning, tokenizePairs } from "../../text.ts";
import { kindOfJson, refusal } from "../refusal.ts";
import type { Row, Source } from "../rows.ts";
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
}

/** The models, loaded when the first shard needs them. */
export async function openScorers(
  job: ScoreSettings,
  source: Source,
): Promise<(rows: readonly Row[]) => Promise<Shard>> {
  const { model, reference, dtype, batchTokens, maxLength, truncationMode, out } = job;
  const backend = await createWasm();
  const { tokenizer, chatTemplate } = await loadTokenizer(model);
  const scorerOf = async (folder: string): Promise<Scorer> =>
    createScorer({
      ...{ model: await loadModel(folder, dtype), tokenizer, backend, batchTokens, truncationMode },
      ...(maxLength !== undefined && { maxLength }),
    });
  const policy = await scorerOf(model);
  const before = reference === undefined ? policy : await scorerOf(reference);
  return async (rows) => {
    const warnings: TextWarning[] = [];
    checkRows(source, rows, out);
    const lists = naming(source, rows, () =>
      tokenizePairs(
        rows.map(([, fields]) => fields as never),
        tokenizer,
        {
          ...{ maxLength, truncationMode, chatTemplate },
          onWarning: (warning) => warnings.push(warning),
        },
      ),
    );
    const dropped = new Set(warnings.find(({ kind }) => kind === "dropped")?.rows);
    const pairs: Scored[] = rows.map(() => null);
    if (lists.length > 0) {
      const own = await policy.logps(lists);
      const theirs = before === policy ? own : await before.logps(lists);
      const kept = [...rows.keys()].filter((i) => !dropped.has(i));
      for (const [k, i] of kept.entries()) {
        const [chosen, rejected] = [own.chosenLogps[k] as number, own.rejectedLogps[k] as number];
        const [refChosen, refRejected] = [theirs.chosenLogps[k] as number, theirs.rejectedLogps[k] as number];
        pairs[i] = [
          chosen,
          rejected,
          refChosen,
          refRejected,
          own.chosenLengths[k] as number,
          own.rejectedLengths[k] as number,
        ];
      }
    }
    return { pairs, warnings: Object.fromEntries(warnings.map(({ kind, count }) => [kind, count])) };
  };
}

/** Says what no tokenizer would say in the words of files. */
function checkRows(source: Source, rows: readonly Row[], out: string): void {
  for (const [number, fields] of rows) {
    const refuse = (text: string): Error => refusal(`${source.place(number)}: ${text}`);
    for (const name of ["prompt", "chosen", "rejected"]) {
      const value = fields[name];
      if (typeof value === "symbol") throw refuse(`${name}: expected a text or messages, got ${kindOfJson(value)}`);
      if (typeof value !== "object" || value === null || out.endsWith(".jsonl")) continue;
      throw refuse(`${name}: messages go into .jsonl alone, and --out is ${printable(out)}`);
    }
    if ((fields["chosen"] ?? null) !== null || (fields["rejected"] ?? null) !== null) continue;
    const columns = Object.keys(fields).slice(0, 12).map(printable).join(", ");
    throw refuse(`expected columns chosen and rejected, got ${columns || "none"}`);
  }
}

/** Refusals of rows name file and line. */
function naming<T>(source: Source, rows: readonly Row[], work: () => T): T {
  try {
    return work();
  } catch (error) {
    const [, at, rest = ""] = /^rows\[(\d+)\][.:]?\s*(.*)$/s.exec(error instanceof DpoError ? error.message : "") ?? [];
    if (at === undefined) throw error;
    throw refusal(`${source.place(rows[Number(at)]?.[0] ?? 0)}: ${rest}`);
  }
}

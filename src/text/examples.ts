// What a scorer is given, token lists or texts, as sequences: of pairs the chosen first, then the rejected.

import { isList, mapList } from "../checks/lists.ts";
import { cut } from "../collate/collate.ts";
import { readExample } from "../collate/ids.ts";
import { KindError, ShapeError } from "../errors.ts";
import { isRecord, kindOf } from "../messages.ts";
import type { Sequence } from "./batches.ts";
import type { ScorerOptions } from "./scorer-types.ts";

/** Whether it is texts or messages. Token lists are numbers, arrays of another kind, or stand under TRL's names. */
export function isTextRow(example: unknown): boolean {
  if (!isRecord(example)) return false;
  const row = example as Record<string, unknown>;
  if (["chosen", "rejected", "completion"].some((name) => row[`${name}_ids`] ?? row[`${name}_input_ids`])) return false;
  const side = row["chosen"] ?? row["rejected"] ?? row["completion"];
  return typeof side === "string" || (isList(side) && isRecord(side[0]));
}

/** Prompts and completions in one, cut as `collate` cuts. Throws    KindError, ParamError, ShapeError, naming the example */
export function readSequences(
  examples: readonly unknown[],
  { maxLength = Infinity, truncationMode = "keep_start" }: ScorerOptions,
) {
  const limits = { maxLength, truncationMode, maxPromptLength: Infinity, maxCompletionLength: Infinity };
  if (examples.length === 0) throw new ShapeError("wrong-length", "examples: expected at least one, got 0");
  const whole = (prompt: Int32Array, after: Int32Array): Sequence => {
    const row = cut(prompt, after, limits);
    const ids = new Int32Array(row.prompt.length + row.completion.length);
    ids.set(row.prompt);
    ids.set(row.completion, row.prompt.length);
    return { ids, completion: row.prompt.length };
  };
  // Beside the lists of a pair, a completion is a column of something else.
  const isRow = (example: unknown): boolean =>
    isRecord(example) &&
    ["completion", "completion_ids", "completion_input_ids"].some((name) => name in example) &&
    !["chosen", "chosen_ids", "chosen_input_ids"].some((name) => name in example);
  const isPairs = !isRow(examples[0]);
  const rows = mapList(examples, "examples", (example, i): Sequence[] => {
    const where = `examples[${i}]`;
    if (!isRecord(example)) throw new KindError(`${where}: expected token lists, got ${kindOf(example)}`);
    if (isRow(example) === isPairs) {
      const [expected, got] = isPairs ? ["chosen and rejected", "a completion"] : ["a completion", "a pair"];
      throw new KindError(`${where}: expected ${expected}, as in the first, got ${got}`);
    }
    if (!isPairs) {
      const { prompt, completion } = readExample(example, ["prompt", "completion"], where);
      return [whole(prompt, completion)];
    }
    const { prompt, chosen, rejected } = readExample(example, ["prompt", "chosen", "rejected"], where);
    return [whole(prompt, chosen), whole(prompt, rejected)];
  });
  const sides = isPairs ? [0, 1] : [0];
  return { isPairs, sequences: sides.flatMap((side) => rows.map((row) => row[side] as Sequence)) };
}

// The mismatched rows of KTO: prompts with the completions of other rows.

import { copyList, isList } from "../checks/lists.ts";
import { copyRecord } from "../checks/record.ts";
import { outOfRange, wrongKind, wrongLength } from "../checks/refusals.ts";

/**
 * Gives each row the completion of the row before it, as TRL's KTOTrainer does when it prepares a data set: within consecutive
 * blocks of `size` rows, the batches that they are trained in, the first row of a block taking the last one's. A short last block
 * is rotated within itself. What `kto` calls k is the mean log-ratio of these rows.
 *
 * Every field whose name begins with `completion` (or `answer`, TRL's older word) moves; the others stay with their prompt.
 * Throws    KindError, ShapeError for what is no list of rows with completions; ParamError for blocks of fewer than two rows, whose
 *           mismatched row would be the row itself
 * @example  import { mismatch } from "dpo-kernels";
 *           mismatch([{ prompt: [1], completion: [2] }, { prompt: [3], completion: [4] }], 2);
 *           // [{ prompt: [1], completion: [4] }, { prompt: [3], completion: [2] }]
 */
export function mismatch<T extends object>(examples: readonly T[], size: number): T[] {
  if (!isList(examples)) throw wrongKind("examples", "a list of rows", examples);
  if (typeof size !== "number") throw wrongKind("size", "a number", size);
  if (!(Number.isSafeInteger(size) && size >= 2)) {
    throw outOfRange("size", "an integer of at least 2", size);
  }
  const rows = copyList(examples, "examples", Infinity).map((example, i) => {
    const row = { ...copyRecord(example, `examples[${i}]`) };
    if (Object.keys(row).some(isOfCompletion)) return row;
    throw wrongLength(`examples[${i}]`, "a completion", "none");
  });
  return rows.map((row, i) => {
    const start = i - (i % size);
    const last = Math.min(start + size, rows.length) - 1;
    const before = rows[i === start ? last : i - 1] as typeof row;
    const own = Object.entries(row).filter(([name]) => !isOfCompletion(name));
    const others = Object.entries(before).filter(([name]) => isOfCompletion(name));
    return Object.fromEntries([...own, ...others]) as T;
  });
}

const isOfCompletion = (name: string): boolean => /^(completion|answer)(_|$)/.test(name);

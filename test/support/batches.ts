// Padded batches as lists, and TRL v0.24's way to cut one, restated.

import type { CollateOptions, PaddedBatch } from "../../src/collate/types.ts";

/** As the golden vectors have it. */
export interface Padded {
  input_ids: number[][];
  attention_mask: number[][];
  completion_mask: number[][];
}

export interface Lists {
  prompt: number[];
  chosen: number[];
  rejected: number[];
}

export interface Row {
  prompt: number[];
  completion: number[];
}

const rowsOf = (flat: Int32Array | Uint8Array, length: number): number[][] =>
  Array.from({ length: flat.length / length }, (_, r) => [...flat.subarray(r * length, (r + 1) * length)]);

export const listsOf = ({ length, inputIds, attentionMask, completionMask }: PaddedBatch): Padded => ({
  input_ids: rowsOf(inputIds, length),
  attention_mask: rowsOf(attentionMask, length),
  completion_mask: rowsOf(completionMask, length),
});

/** The rows of a batch without their padding. */
export function tokensOf(batch: PaddedBatch): Row[] {
  return Array.from({ length: 2 * batch.pairs }, (_, r) => {
    const row = { prompt: [] as number[], completion: [] as number[] };
    for (let i = r * batch.length; i < (r + 1) * batch.length; i++) {
      const part = batch.completionMask[i] === 1 ? row.completion : row.prompt;
      if (batch.attentionMask[i] === 1) part.push(batch.inputIds[i] ?? Number.NaN);
    }
    return row;
  });
}

type Cell = { id: number; completion: boolean } | undefined;

const blank = (n: number): Cell[] => Array.from({ length: n }, () => undefined);
const widest = (lists: number[][]): number => Math.max(...lists.map((list) => list.length));

// Every row is moved to the side that stays before columns are cut from the other one.
const flushLeft = (row: Cell[]): Cell[] => {
  const first = row.findIndex((cell) => cell !== undefined);
  return first < 0 ? row : [...row.slice(first), ...row.slice(0, first)];
};
const flushRight = (row: Cell[]): Cell[] => flushLeft([...row].reverse()).reverse();

/**
 * The tokens that stay in each row, chosen rows first: prompts are padded on the left, completions on the right, and
 * where that is wider than `maxLength`, columns go.
 */
export function cutColumns(examples: readonly Lists[], options: CollateOptions): Row[] {
  const { maxLength = Infinity, maxPromptLength = Infinity, maxCompletionLength = Infinity } = options;
  const sides = (["chosen", "rejected"] as const).flatMap((side) =>
    examples.map((example) => ({ prompt: example.prompt, completion: example[side] })),
  );
  const prompts = sides.map(({ prompt }) => prompt.slice(-maxPromptLength));
  const completions = sides.map(({ completion }) => completion.slice(0, maxCompletionLength));
  const table = sides.map((_, r): Cell[] => {
    const prompt = prompts[r] ?? [];
    const completion = completions[r] ?? [];
    return [
      ...blank(widest(prompts) - prompt.length),
      ...prompt.map((id) => ({ id, completion: false })),
      ...completion.map((id) => ({ id, completion: true })),
      ...blank(widest(completions) - completion.length),
    ];
  });
  const cut = (row: Cell[]): Cell[] => {
    if (row.length <= maxLength) return row;
    return options.truncationMode === "keep_end"
      ? flushRight(row).slice(-maxLength)
      : flushLeft(row).slice(0, maxLength);
  };
  const idsOf = (row: Cell[], completion: boolean): number[] =>
    row.flatMap((cell) => (cell?.completion === completion ? [cell.id] : []));
  return table.map(cut).map((row) => ({ prompt: idsOf(row, false), completion: idsOf(row, true) }));
}

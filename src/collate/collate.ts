// Token lists to batches: cut, then padded or packed. docs/collate.md has the whole of it in words.

import { isList, mapList } from "../checks/lists.ts";
import { wrongKind, wrongLength } from "../checks/refusals.ts";
import { readExample } from "./ids.ts";
import { readOptions, type Settings } from "./read.ts";
import type {
  CollateOptions,
  OldTrlTokenPair,
  PackedArrays,
  PackedBatch,
  PackedRowsBatch,
  PaddedArrays,
  PaddedBatch,
  PaddedRows,
  TokenPair,
  TokenRow,
  TrlTokenPair,
} from "./types.ts";

/** One sequence, cut. */
export interface Row {
  readonly prompt: Int32Array;
  readonly completion: Int32Array;
}

type Examples = readonly (TokenPair | TrlTokenPair | OldTrlTokenPair)[];

/**
 * Makes a batch of token lists: cuts prompt and completion as TRL does, then pads the rows, or packs the tokens that
 * count.
 *
 *   row = last maxPromptLength tokens of the prompt + first maxCompletionLength of the completion, cut to maxLength
 *
 * Shapes    padded: inputIds, attentionMask, completionMask [2B·T]; packed: offsets [2B+1], targets [offsets[2B]],
 *           lengths [2B]. The B chosen rows first, then the B rejected; each is cut by itself, none is dropped
 * Throws    KindError, ParamError, ShapeError, naming the example, the list and the position
 * @example  import { collate } from "dpo-kernels";
 *           const tokens = collate([{ prompt: [1, 5, 6], chosen: [7, 8], rejected: [9] }], { maxLength: 512 });
 *           // { pairs: 1, length: 5, inputIds: [1, 5, 6, 7, 8,  1, 5, 6, 9, 0],
 *           //   completionMask: [0, 0, 0, 1, 1,  0, 0, 0, 1, 0], attentionMask: [1, 1, 1, 1, 1,  1, 1, 1, 1, 0] }
 */
export function collate(examples: Examples, options: CollateOptions & { layout: "packed" }): PackedBatch;
export function collate(examples: Examples, options?: CollateOptions & { layout?: "padded" | undefined }): PaddedBatch;
export function collate(examples: Examples, options?: CollateOptions): PaddedBatch | PackedBatch;
export function collate(examples: Examples, options: CollateOptions = {}): PaddedBatch | PackedBatch {
  const settings = readOptions(options);
  const rows = makeRows(examples, settings);
  return { pairs: rows.length / 2, ...layOut(rows, settings) };
}

/**
 * Makes a batch of single rows, each a prompt and its completion, in their order: `tokens` of losses of rows, and of mismatched ones.
 *
 * Shapes    padded: inputIds, attentionMask, completionMask [rows·T]; packed: offsets [rows+1], targets, lengths [rows]
 * Throws    as `collate`
 * @example  import { collateRows } from "dpo-kernels";
 *           const tokens = collateRows([{ prompt: [1, 5, 6], completion: [7, 8] }]);
 *           // { rows: 1, length: 5, inputIds: [1, 5, 6, 7, 8], completionMask: [0, 0, 0, 1, 1], attentionMask: [1, 1, 1, 1, 1] }
 */
export function collateRows(
  examples: readonly TokenRow[],
  options: CollateOptions & { layout: "packed" },
): PackedRowsBatch;
export function collateRows(
  examples: readonly TokenRow[],
  options?: CollateOptions & { layout?: "padded" | undefined },
): PaddedRows;
export function collateRows(examples: readonly TokenRow[], options?: CollateOptions): PaddedRows | PackedRowsBatch;
export function collateRows(examples: readonly TokenRow[], options: CollateOptions = {}): PaddedRows | PackedRowsBatch {
  const settings = readOptions(options);
  const rows = readEach(examples, ["prompt", "completion"], "row").map((lists) =>
    cut(lists.prompt, lists.completion, settings),
  );
  return { rows: rows.length, ...layOut(rows, settings) };
}

// Which layout it is, the options say.
const layOut = (rows: readonly Row[], settings: Settings) =>
  (settings.layout === "packed" ? pack(rows) : pad(rows, settings)) as ReturnType<typeof pad> & ReturnType<typeof pack>;

/** The lists of each example, read once. */
function readEach<S extends "prompt" | "chosen" | "rejected" | "completion">(
  examples: readonly object[],
  sides: readonly S[],
  unit: string,
): Readonly<Record<S, Int32Array>>[] {
  if (!isList(examples)) throw wrongKind("examples", `a list of ${unit}s`, examples);
  const last = sides.at(-1);
  const words = `${sides.slice(0, -1).join(", ")} and ${last}`;
  const read = mapList(examples, "examples", (example, i) => {
    const where = `examples[${i}]`;
    if (typeof example === "object" && example !== null) return readExample(example, sides, where);
    throw wrongKind(where, `an object with ${words}`, example);
  });
  if (read.length === 0) throw wrongLength("examples", `at least one ${unit}`, 0);
  return read;
}

function makeRows(examples: Examples, settings: Settings): Row[] {
  const lists = readEach(examples, ["prompt", "chosen", "rejected"], "pair");
  return (["chosen", "rejected"] as const).flatMap((side) =>
    lists.map((list) => cut(list.prompt, list[side], settings)),
  );
}

/** A prompt and a completion, cut. */
// TRL up to v0.28 cut columns of the padded batch, but after moving every row to the side that stays: the same tokens.
export function cut(
  prompt: Int32Array,
  completion: Int32Array,
  settings: Pick<Settings, "maxLength" | "truncationMode" | "maxPromptLength" | "maxCompletionLength">,
): Row {
  const before = prompt.subarray(Math.max(0, prompt.length - settings.maxPromptLength));
  const after = completion.subarray(0, settings.maxCompletionLength);
  const total = before.length + after.length;
  const excess = Math.max(0, total - settings.maxLength);
  const start = settings.truncationMode === "keep_end" ? excess : 0;
  const end = total - excess + start;
  return {
    prompt: before.subarray(start, end),
    completion: after.subarray(Math.max(0, start - before.length), Math.max(0, end - before.length)),
  };
}

/** The rows of a batch, padded on the right. */
export function pad(
  rows: readonly Row[],
  { padToMultipleOf, padTokenId }: Pick<Settings, "padToMultipleOf" | "padTokenId">,
): PaddedArrays & { length: number } {
  // One column of padding where no row has a token: a batch without positions is none.
  const longest = rows.reduce((most, { prompt, completion }) => Math.max(most, prompt.length + completion.length), 1);
  const length = Math.ceil(longest / padToMultipleOf) * padToMultipleOf;
  checkSize(rows.length * length);
  const inputIds = new Int32Array(rows.length * length).fill(padTokenId);
  const attentionMask = new Uint8Array(inputIds.length);
  const completionMask = new Uint8Array(inputIds.length);
  for (const [r, { prompt, completion }] of rows.entries()) {
    const start = r * length;
    const middle = start + prompt.length;
    const end = middle + completion.length;
    inputIds.set(prompt, start);
    inputIds.set(completion, middle);
    attentionMask.fill(1, start, end);
    completionMask.fill(1, middle, end);
  }
  return { length, inputIds, attentionMask, completionMask };
}

function pack(rows: readonly Row[]): PackedArrays {
  // Nothing stands before the first token of a row that could predict it.
  const counted = rows.map(({ prompt, completion }) => completion.subarray(prompt.length === 0 ? 1 : 0));
  const total = counted.reduce((sum, { length }) => sum + length, 0);
  checkSize(total);
  const offsets = new Int32Array(rows.length + 1);
  const targets = new Int32Array(total);
  for (const [r, ids] of counted.entries()) {
    const start = offsets[r] ?? 0;
    targets.set(ids, start);
    offsets[r + 1] = start + ids.length;
  }
  return {
    offsets,
    targets,
    lengths: Int32Array.from(rows, ({ completion }) => completion.length),
  };
}

// Offsets are 32-bit integers.
function checkSize(tokens: number): void {
  const most = 2 ** 31 - 1;
  if (tokens <= most) return;
  throw wrongLength("examples", `at most ${most} tokens, padding included`, tokens);
}

// Token lists to batches: cut, then padded or packed. docs/collate.md has the whole of it in words.

import { isList, mapList } from "../checks/lists.ts";
import { KindError, ShapeError } from "../errors.ts";
import { kindOf } from "../plan/plan.ts";
import type { PackedTokens, Tokens } from "../types.ts";
import { readExample } from "./ids.ts";
import { readOptions, type Settings } from "./read.ts";

/** A tensor of transformers.js or ONNX Runtime that holds one sequence: dims [n] or [1, n]. */
export interface TokenTensor {
  readonly data: ArrayLike<unknown>;
  readonly dims: readonly number[];
}

/** What a tokenizer returns for one text. Ids under mask 0 are padding and left out. */
export interface TokenEncoding {
  readonly input_ids: ArrayLike<number> | ArrayLike<bigint> | TokenTensor;
  readonly attention_mask?: ArrayLike<number> | ArrayLike<bigint> | TokenTensor | null | undefined;
}

/** Token ids: a plain array or a typed one, a tensor, a tokenizer's encoding. */
export type TokenIds = ArrayLike<number> | ArrayLike<bigint> | TokenTensor | TokenEncoding;

/** One pair as token ids: a prompt and its two completions. Any of them may be empty. */
export interface TokenPair {
  prompt: TokenIds;
  chosen: TokenIds;
  rejected: TokenIds;
}

/** The same under the names of TRL's tokenised data sets, which keep their texts as `prompt`, `chosen`, `rejected`. */
export interface TrlTokenPair {
  prompt_ids: TokenIds;
  chosen_ids: TokenIds;
  rejected_ids: TokenIds;
}

type Bits = TokenEncoding["attention_mask"];

/** The same under the names of TRL v0.12 – v0.28, with the masks of its batches if there are any. */
export interface OldTrlTokenPair {
  prompt_input_ids: TokenIds;
  chosen_input_ids: TokenIds;
  rejected_input_ids: TokenIds;
  prompt_attention_mask?: Bits;
  chosen_attention_mask?: Bits;
  rejected_attention_mask?: Bits;
}

/** How rows are cut and padded; `fromTrl(config).collate` is one of these. */
export interface CollateOptions {
  /** Tokens that a row, prompt and completion together, may have. Default: any number. */
  maxLength?: number | undefined;
  /** Which end of a row `maxLength` keeps. Default "keep_start". */
  truncationMode?: "keep_start" | "keep_end" | undefined;
  /** TRL up to v0.28: the prompt keeps its last tokens, before `maxLength` applies. */
  maxPromptLength?: number | undefined;
  /** TRL up to v0.28: the completion keeps its first tokens, before `maxLength` applies. */
  maxCompletionLength?: number | undefined;
  /** The padded length is a multiple of this, above `maxLength` if need be. Default 1. */
  padToMultipleOf?: number | undefined;
  /** What stands at padding. Default 0. */
  padTokenId?: number | undefined;
  /** Default "padded". */
  layout?: "padded" | "packed" | undefined;
}

/** A batch padded on the right: what the losses take, and the mask that a model needs. */
export interface PaddedBatch extends Tokens {
  inputIds: Int32Array<ArrayBuffer>;
  completionMask: Uint8Array<ArrayBuffer>;
  /** [2B·T] 1 on tokens, 0 on padding. */
  attentionMask: Uint8Array<ArrayBuffer>;
}

/** A packed batch: the tokens that count, and nothing else. */
export interface PackedBatch extends PackedTokens {
  offsets: Int32Array<ArrayBuffer>;
  targets: Int32Array<ArrayBuffer>;
  /** [2B] completion lengths before the shift: one above the row's tokens where the row has no prompt. */
  lengths: Int32Array<ArrayBuffer>;
}

interface Row {
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
 * @example  const tokens = collate([{ prompt: [1, 5, 6], chosen: [7, 8], rejected: [9] }], { maxLength: 512 });
 *           // { pairs: 1, length: 5, inputIds: [1, 5, 6, 7, 8,  1, 5, 6, 9, 0],
 *           //   completionMask: [0, 0, 0, 1, 1,  0, 0, 0, 1, 0], attentionMask: [1, 1, 1, 1, 1,  1, 1, 1, 1, 0] }
 */
export function collate(examples: Examples, options: CollateOptions & { layout: "packed" }): PackedBatch;
export function collate(examples: Examples, options?: CollateOptions & { layout?: "padded" | undefined }): PaddedBatch;
export function collate(examples: Examples, options?: CollateOptions): PaddedBatch | PackedBatch;
export function collate(examples: Examples, options: CollateOptions = {}): PaddedBatch | PackedBatch {
  const settings = readOptions(options);
  const rows = makeRows(examples, settings);
  return settings.layout === "packed" ? pack(rows) : pad(rows, settings);
}

function makeRows(examples: Examples, settings: Settings): Row[] {
  if (!isList(examples)) throw new KindError(`examples: expected a list of pairs, got ${kindOf(examples)}`);
  const chosen: Row[] = [];
  const rejected: Row[] = [];
  mapList(examples, "examples", (example: Examples[number], i) => {
    const where = `examples[${i}]`;
    if (typeof example !== "object" || example === null) {
      throw new KindError(`${where}: expected an object with prompt, chosen and rejected, got ${kindOf(example)}`);
    }
    const lists = readExample(example, where);
    chosen.push(cut(lists.prompt, lists.chosen, settings));
    rejected.push(cut(lists.prompt, lists.rejected, settings));
  });
  if (chosen.length === 0) throw new ShapeError("wrong-length", "examples: expected at least one pair, got 0");
  return [...chosen, ...rejected];
}

// TRL up to v0.28 cut columns of the padded batch, but after moving every row to the side that stays: the same tokens.
function cut(prompt: Int32Array, completion: Int32Array, settings: Settings): Row {
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

function pad(rows: readonly Row[], { padToMultipleOf, padTokenId }: Settings): PaddedBatch {
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
  return { pairs: rows.length / 2, length, inputIds, attentionMask, completionMask };
}

function pack(rows: readonly Row[]): PackedBatch {
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
    pairs: rows.length / 2,
    offsets,
    targets,
    lengths: Int32Array.from(rows, ({ completion }) => completion.length),
  };
}

// Offsets are 32-bit integers.
function checkSize(tokens: number): void {
  const most = 2 ** 31 - 1;
  if (tokens <= most) return;
  throw new ShapeError("wrong-length", `examples: expected at most ${most} tokens, padding included, got ${tokens}`);
}

// What `collate` takes and gives.

import type { PackedRows, PackedTokens, TokenRows, Tokens } from "../types.ts";

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

/** One row as token ids: a prompt and its completion, under the names of any version of TRL. */
export type TokenRow =
  | { prompt: TokenIds; completion: TokenIds }
  | { prompt_ids: TokenIds; completion_ids: TokenIds }
  | {
      prompt_input_ids: TokenIds;
      completion_input_ids: TokenIds;
      prompt_attention_mask?: Bits;
      completion_attention_mask?: Bits;
    };

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

export interface PaddedArrays {
  inputIds: Int32Array<ArrayBuffer>;
  completionMask: Uint8Array<ArrayBuffer>;
  /** In the layout of the ids: 1 on tokens, 0 on padding. */
  attentionMask: Uint8Array<ArrayBuffer>;
}

/** A batch padded on the right: what the losses take, and the mask that a model needs. */
export interface PaddedBatch extends Omit<Tokens, "attentionMask">, PaddedArrays {
  inputIds: Int32Array<ArrayBuffer>;
  completionMask: Uint8Array<ArrayBuffer>;
}

/** The same of single rows. */
export interface PaddedRows extends Omit<TokenRows, "attentionMask">, PaddedArrays {
  inputIds: Int32Array<ArrayBuffer>;
  completionMask: Uint8Array<ArrayBuffer>;
}

export interface PackedArrays {
  offsets: Int32Array<ArrayBuffer>;
  targets: Int32Array<ArrayBuffer>;
  /** Of each row: completion lengths before the shift: one above the row's tokens where the row has no prompt. */
  lengths: Int32Array<ArrayBuffer>;
}

/** A packed batch: the tokens that count, and nothing else. */
export interface PackedBatch extends PackedTokens, PackedArrays {
  offsets: Int32Array<ArrayBuffer>;
  targets: Int32Array<ArrayBuffer>;
  lengths: Int32Array<ArrayBuffer>;
}

/** The same of single rows. */
export interface PackedRowsBatch extends PackedRows, PackedArrays {
  offsets: Int32Array<ArrayBuffer>;
  targets: Int32Array<ArrayBuffer>;
  lengths: Int32Array<ArrayBuffer>;
}

// What createScorer takes and gives.

import type { OldTrlTokenPair, TokenPair, TokenRow, TrlTokenPair } from "../collate/types.ts";
import type { DisposesLater, Signal } from "../globals.ts";
import type { Floats, LogitOptions, SequenceLogpsOptions, SequenceLogpsResult, SequencesBatch } from "../types.ts";
import type { LabelledRow, PairRow, TextTokenizer, TokenizedPair, TokenizedRow, TokenizeOptions } from "./types.ts";

/** A tensor of ONNX Runtime or transformers.js. */
export interface ModelTensor {
  readonly type: string;
  readonly dims: readonly number[];
  readonly data: unknown;
  readonly location?: string;
  dispose?(): void;
}

/** An `InferenceSession` of onnxruntime-web or onnxruntime-node. */
export interface ModelSession {
  readonly inputNames: readonly string[];
  readonly outputNames: readonly string[];
  readonly inputMetadata?: readonly object[];
  run(feeds: never, fetches: readonly string[]): Promise<object>;
}

/** A model of transformers.js that is one session, as language models are. */
export interface SessionModel {
  readonly sessions: object;
}

/** What a model is asked about: rows of one padded length. */
export interface ModelBatch {
  readonly rows: number;
  /** T */
  readonly length: number;
  /** [rows·T] */
  readonly inputIds: Int32Array;
  /** [rows·T] 0 on padding. */
  readonly attentionMask: Uint8Array;
  /** [rows·T] counted from each row's first token; 0 on padding. */
  readonly positionIds: Int32Array;
  /** [rows·T] 1 on completion tokens. */
  readonly completionMask: Uint8Array;
  /** Nothing is wanted of positions before this one. */
  readonly logitsFrom: number;
}

type Values = Floats | ModelTensor;

/** [rows, T, V], or [rows, K, V] of the last K positions, `logitsFrom` among them; hidden states likewise, for `head`. */
export type ModelOutput = Values | { logits: Values } | { hidden: Values };

/** A model of your own. */
export type ModelFunction = (batch: ModelBatch) => ModelOutput | Promise<ModelOutput>;

/** The model's output head: with it, hidden states are read in place of logits where the model gives them. */
export interface ScorerHead {
  /** [V·D] */
  weight: Floats;
  vocab: number;
  hiddenSize: number;
  /** [V] */
  bias?: Floats | undefined;
}

/** Any backend of this package. */
export interface ScorerBackend {
  readonly name: string;
  sequenceLogps(
    batch: SequencesBatch,
    options?: SequenceLogpsOptions,
  ): SequenceLogpsResult | Promise<SequenceLogpsResult>;
}

export type ScorerExample = TokenPair | TrlTokenPair | OldTrlTokenPair | TokenRow | TokenizedRow;

export interface ScoreOptions {
  signal?: Signal | undefined;
  /** Sequences done, of all. */
  onProgress?: ((done: number, total: number) => void) | undefined;
}

export interface ScorerOptions extends TokenizeOptions, LogitOptions, ScoreOptions {
  model: SessionModel | ModelSession | ModelFunction;
  /** For examples that are texts or messages; it also says on which side the model is padded, and with what. */
  tokenizer?: TextTokenizer | undefined;
  /** Default: the best one for logits here. */
  backend?: ScorerBackend | undefined;
  /** Tokens that the model sees at once, padding included; a longer sequence goes alone. Default 2048. */
  batchTokens?: number | undefined;
  /** Default: the tokenizer's, if the model takes position_ids; else "right". */
  paddingSide?: "left" | "right" | undefined;
  /** Default: the tokenizer's, else 0. */
  padTokenId?: number | undefined;
  head?: ScorerHead | undefined;
  /** V, for functions that give plain arrays of logits. */
  vocab?: number | undefined;
}

/** Log-probs of S sequences: of B pairs the B chosen first, then the B rejected; nats. */
export interface SequenceScores {
  /** [S] sums over the completions' tokens. */
  logps: Float64Array;
  /** [S] the completions' tokens. */
  lengths: Int32Array;
  /** Of each sequence, its completion's tokens in order, without a first one that nothing predicts. */
  tokenLogps: Float32Array[];
}

/** The same of pairs; what is named by side are views of the others. */
export interface PairScores extends SequenceScores {
  chosenLogps: Float64Array;
  rejectedLogps: Float64Array;
  chosenLengths: Int32Array;
  rejectedLengths: Int32Array;
  /** The token lists, where the examples were texts: rows that `maxLength` drops are missing. */
  examples?: TokenizedPair[];
}

export interface RowScores extends SequenceScores {
  examples?: TokenizedRow[];
}

export interface Scorer extends DisposesLater {
  /**
   * Log-probs of completions, of token lists as `collate` takes them, or of texts and messages where there is a tokenizer.
   *
   * Throws    KindError, ParamError, ShapeError; AbortError; what the model throws
   */
  logps(examples: readonly (TokenRow | TokenizedRow | LabelledRow)[], options?: ScoreOptions): Promise<RowScores>;
  logps(
    examples: readonly (TokenPair | TrlTokenPair | OldTrlTokenPair | PairRow)[],
    options?: ScoreOptions,
  ): Promise<PairScores>;
  /** Ends the backend, if the scorer made it. The model stays yours. */
  dispose(): Promise<void>;
}

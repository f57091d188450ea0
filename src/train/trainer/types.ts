// What createTrainer takes and gives.

import type { PaddedBatch, TokenIds, TokenPair, TokenRow, TrlTokenPair } from "../../collate/types.ts";
import type { FromTrlOptions } from "../../from-trl/from-trl.ts";
import type { TrlConfig } from "../../from-trl/read.ts";
import type { DisposesLater, Instance, Signal } from "../../globals.ts";
import type { AsyncBackend, Backend, Floats, Lora } from "../../types.ts";

/** The rows of a batch of pairs, all chosen first; of single rows: `rows` of them, and `pairs` is half as many. */
export interface BackboneBatch extends PaddedBatch {
  readonly rows: number;
}

/** What a backbone is told beside the batch. */
export interface BackboneCall {
  /** Which of the examples these are, by their place in `examples` (or in `evalExamples`). */
  readonly examples: readonly number[];
  readonly evaluation: boolean;
  readonly signal: Signal | undefined;
}

/**
 * A frozen model up to its head: hidden states [2B·T·D] of a padded batch, position t for the prediction of token t + 1. Only rows
 * and positions that count are read; what is returned may be used again for the next batch.
 */
export type Backbone = (batch: BackboneBatch, call: BackboneCall) => Floats | Promise<Floats>;

/** A pair as token lists, with what it brings for a precomputed reference (TRL's names serve too) and for the reward-aware losses. */
export type PairExample = (TokenPair | TrlTokenPair) & {
  refChosenLogps?: number | undefined;
  refRejectedLogps?: number | undefined;
  /** Δ* of the reward-aware losses, as `pairLoss` takes it. */
  rewardMargin?: number | undefined;
};

/**
 * A row as token lists, for the losses of rows: TRL's `label` says whether it is desirable. What it brings for a precomputed reference,
 * and the completion of its mismatched row, may bear TRL's names too (`ref_logps`, `ref_KL_logps`, `KL_completion_ids`).
 */
export type RowExample = TokenRow & {
  label: boolean;
  refLogps?: number | undefined;
  /** Of `kto`: of the row's prompt with the completion of its mismatched row. */
  refKlLogps?: number | undefined;
  /** Of `kto`. Default: that of the row before it among those of a batch, as `mismatch` has it. */
  klCompletion?: TokenIds | undefined;
};

export type TrainExample = PairExample | RowExample;

/** Examples in a list, or a stream that begins anew at each call: in the order it gives, for `max_steps`. */
export type TrainExamples = readonly TrainExample[] | (() => AsyncIterable<TrainExample>);

/** The head that is trained. */
export interface TrainHead {
  /** [V·D]. A Float32Array is trained in place; halves stay as they are, their float32 copy is trained. */
  weight: Floats;
  vocab: number;
  hiddenSize: number;
  /** [V]. Trained as the weight is, without weight decay. */
  bias?: Floats | undefined;
  logitScale?: number | undefined;
  logitSoftcap?: number | undefined;
}

/** An adapter of the head to train in its place. */
export interface TrainLora {
  rank: number;
  alpha: number;
  /** Warned of: there is no dropout before the adapter. */
  dropout?: number | undefined;
  /** Of A at the start, which is as PEFT's: uniform within 1/√D; B is 0. Default: the configuration's seed. */
  seed?: number | undefined;
  /** [rank·D] and [V·rank]: where to begin in place of that, trained in place. */
  a?: Float32Array | undefined;
  b?: Float32Array | undefined;
}

/** Where bytes are kept by name. `write` must leave all of them or what was there before. */
export interface Store {
  /** Undefined where there is nothing of that name. */
  read(name: string): Promise<Uint8Array | undefined>;
  write(name: string, bytes: Uint8Array): Promise<void>;
  list(): Promise<readonly string[]>;
  remove(name: string): Promise<void>;
}

/** A store, or the path of a folder in Node, Deno and Bun, which is made where it is missing. */
export type StoreLike = Store | string | Instance<"URL">;

export interface CheckpointOptions {
  store: StoreLike;
  /** Default: as the configuration's `save_strategy` and `save_steps` say, else 500; with steps or epochs the last step has one too. */
  everySteps?: number | undefined;
  /** How many stay, the newest. Default: `save_total_limit` of the configuration, else 2. */
  keep?: number | undefined;
  /** Without `resume`, begins anew where the store holds checkpoints, which go with the first of this training. Default false: refused. */
  overwrite?: boolean | undefined;
}

/** Where hidden states are kept between epochs. */
export interface CacheOptions {
  /** Of memory. Default 256 MiB. */
  maxBytes?: number | undefined;
  /** For those that memory has no room for; `dispose` removes them. Default: they are computed anew in each epoch. */
  store?: StoreLike | undefined;
}

export interface TrainProgress {
  /** What is under way: a step's batches, or those of an evaluation. */
  readonly stage: "train" | "evaluate";
  readonly done: number;
  readonly total: number;
}

export interface TrainerOptions {
  /** A DPOConfig, CPOConfig, ORPOConfig, KTOConfig or BCOConfig of TRL as a plain object. */
  config: TrlConfig;
  examples: TrainExamples;
  backbone: Backbone;
  head: TrainHead;
  /** Default: the head as it is at the start. "precomputed": the log-probs that the examples carry. */
  reference?: { weight: Floats; bias?: Floats | undefined } | "precomputed" | undefined;
  lora?: TrainLora | undefined;
  /** Default: the best one here, which `dispose` ends. */
  backend?: Backend | AsyncBackend | undefined;
  evalExamples?: TrainExamples | undefined;
  /** Default: as the configuration's `eval_strategy` and `eval_steps` say; without them, at the end of each epoch. */
  evalSteps?: number | undefined;
  /** Whether each epoch has an order of its own, made from the seed. Default true; a stream keeps its order. */
  shuffle?: boolean | undefined;
  checkpoint?: CheckpointOptions | undefined;
  /** From the newest whole checkpoint of the store, where there is one. Default false. */
  resume?: boolean | undefined;
  cache?: CacheOptions | undefined;
  /** Bytes of logits that each batch may hold between its passes, as `linearLoss` takes it: a quarter less work where they all fit. */
  keep?: number | undefined;
  /** The TRL version whose meaning the configuration has, as `fromTrl` takes it. */
  version?: string | undefined;
  /** Whose configuration it is, as `fromTrl` takes it, where nothing in it tells: an ORPOConfig of `beta` alone. */
  trainer?: FromTrlOptions["trainer"];
  signal?: Signal | undefined;
  onProgress?: ((progress: TrainProgress) => void) | undefined;
  /** A sentence each: what of the configuration is not followed, checkpoints that are damaged. Default: console.warn. */
  onWarning?: ((warning: string) => void) | undefined;
}

/** What a step came to. */
export interface TrainStep {
  /** Steps taken, this one included. */
  readonly step: number;
  /** Of the whole training. */
  readonly steps: number;
  /** Passes over the examples so far, with a fraction. */
  readonly epoch: number;
  /** Of this step, before its update, by TRL's names: `loss`, `grad_norm`, `learning_rate`, `epoch`, `num_tokens`, `rewards/…`; and `eval_…`. */
  readonly metrics: Readonly<Record<string, number>>;
  /** At each `logging_steps` (10) what TRL logs: means over the steps since it last did. */
  readonly log?: Readonly<Record<string, number>> | undefined;
}

/** The files that a training leaves, by name. */
export type TrainedFiles = Readonly<Record<string, Uint8Array<ArrayBuffer>>>;

/** A training. Each `for await` goes on where the last one stopped. */
export interface Trainer extends AsyncIterable<TrainStep>, DisposesLater {
  readonly step: number;
  readonly steps: number;
  /** What was warned of so far. */
  readonly warnings: readonly string[];
  /** The best evaluation so far, where `load_best_model_at_end` or `save_strategy: "best"` asks for it. */
  readonly best?: { readonly step: number; readonly metric: string; readonly value: number } | undefined;
  /** What is trained, as it is now; the adapter where one is trained. */
  readonly head: {
    readonly weight: Floats;
    readonly bias?: Floats | undefined;
    readonly lora?: Readonly<Lora> | undefined;
  };
  /** `evalExamples` by the head as it is now: keys `eval_…`. */
  evaluate(): Promise<Record<string, number>>;
  /** Writes a checkpoint now. */
  checkpoint(): Promise<void>;
  /** The trained head or adapter as files: `lm_head.weight` in safetensors, or PEFT's, with the configuration beside it. */
  files(): Promise<TrainedFiles>;
  /** Writes these files to a folder or store; returns their names. */
  save(target: StoreLike): Promise<readonly string[]>;
  /** Ends the backend, unless it is yours. */
  dispose(): Promise<void>;
}

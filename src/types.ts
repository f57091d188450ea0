// The public types: what calls take and return, with shapes and units. typedoc makes docs/api/ of them.

import type { DisposesLater, DisposesNow, HalfArray, Signal } from "./globals.ts";
import type { LossType } from "./losses/index.ts";
import type { Loss } from "./losses/loss.ts";
import type { RunningMean } from "./plan/running-mean.ts";

/** Log-probabilities, weights: float32 or float64. Views of a SharedArrayBuffer are accepted everywhere. */
export type FloatArray = Float32Array<ArrayBufferLike> | Float64Array<ArrayBufferLike>;

/** Token counts: integers in any of these. */
export type LengthArray = FloatArray | Int32Array<ArrayBufferLike> | Uint32Array<ArrayBufferLike>;

/** Sequence log-probabilities of B pairs, nats, summed over the completion; each array holds B numbers. */
export interface PairLogps {
  policyChosen: FloatArray;
  policyRejected: FloatArray;
  /** Required unless every loss asked for needs none, or `referenceFree`. */
  referenceChosen?: FloatArray | undefined;
  referenceRejected?: FloatArray | undefined;
  /** Completion tokens; required by `ipo`, `sigmoid_norm`, `sft`. 0 is an empty completion: its gradient is 0. */
  chosenLengths?: LengthArray | BigInt64Array<ArrayBufferLike> | undefined;
  rejectedLengths?: LengthArray | BigInt64Array<ArrayBufferLike> | undefined;
  /** Δ*, how much better the chosen completion is by a reward model, times η; required by `rpo_sq`, `rpo_bwd_kl`, `rpo_fwd_kl`. */
  rewardMargin?: FloatArray | undefined;
  /** Multiplies each pair's loss; refused with `aot`, `aot_unpaired`. */
  pairWeights?: FloatArray | undefined;
}

/** Buffers of B numbers that a call fills and returns, so that it allocates none. */
export interface PairBuffers {
  losses?: Float32Array<ArrayBufferLike> | undefined;
  gradChosen?: Float32Array<ArrayBufferLike> | undefined;
  gradRejected?: Float32Array<ArrayBufferLike> | undefined;
  chosenRewards?: Float32Array<ArrayBufferLike> | undefined;
  rejectedRewards?: Float32Array<ArrayBufferLike> | undefined;
}

export interface PairLossResult {
  /** Sum over the losses asked for of weight × mean over pairs. */
  loss: number;
  /** [B] sum of weight × loss of the pair; of the rank for `aot`, `aot_unpaired`; `sft`'s one number repeated. */
  losses: Float32Array<ArrayBufferLike>;
  /** [B] dloss / d policyChosen, the 1/B included, times `gradScale`. */
  gradChosen: Float32Array<ArrayBufferLike>;
  /** [B] dloss / d policyRejected. */
  gradRejected: Float32Array<ArrayBufferLike>;
  /** [B] β × (policy − reference); when named in `out`, or with `metrics: "full"`. */
  chosenRewards?: Float32Array<ArrayBufferLike>;
  rejectedRewards?: Float32Array<ArrayBufferLike>;
  /** TRL's keys: "rewards/chosen", "rewards/rejected", "rewards/accuracies", "rewards/margins", "logps/chosen", "logps/rejected". */
  metrics: Record<string, number>;
}

/** Sequence log-probabilities of B rows, each desirable or not; nats, summed over the completion; each array holds B numbers. */
export interface RowLogps {
  policy: FloatArray;
  /** Required by every loss of the table. */
  reference?: FloatArray | undefined;
  /** 1, true: a completion to learn; 0, false: one to unlearn. */
  desirable: Uint8Array<ArrayBufferLike> | readonly boolean[];
  /** Required by `kto`: the log-probs of mismatched rows, any number of them; `mismatch` makes the rows. */
  klPolicy?: FloatArray | undefined;
  klReference?: FloatArray | undefined;
  /** Completion tokens. 0 is an empty completion: its gradient is 0. */
  lengths?: LengthArray | BigInt64Array<ArrayBufferLike> | undefined;
  /** Multiplies each row's loss. */
  rowWeights?: FloatArray | undefined;
  /** `bco`: multiplies the loss of the undesirable rows; what stands at the others is not used. Clip it as you need. */
  densityRatio?: FloatArray | undefined;
}

/** Buffers of B numbers that a call on rows fills and returns. */
export interface RowBuffers {
  losses?: Float32Array<ArrayBufferLike> | undefined;
  grad?: Float32Array<ArrayBufferLike> | undefined;
  rewards?: Float32Array<ArrayBufferLike> | undefined;
}

export interface UnpairedLossResult {
  /** Sum over the losses asked for of weight × mean over rows; rows whose loss is NaN are left out. */
  loss: number;
  /** [B] sum of weight × loss of the row. */
  losses: Float32Array<ArrayBufferLike>;
  /** [B] dloss / d policy, the 1/B included, times `gradScale`. */
  grad: Float32Array<ArrayBufferLike>;
  /** [B] β × (policy − reference); when named in `out`, or with `metrics: "full"`. */
  rewards?: Float32Array<ArrayBufferLike>;
  /**
   * TRL's keys: "kl" or "delta"; means over the desirable rows, "rewards/chosen", "logps/chosen", and their number,
   * "count/chosen"; the same of the others, "rewards/rejected", …; absent for a label that does not occur, as "rewards/margins" is.
   */
  metrics: Record<string, number>;
}

export type FDivergence = "reverse_kl" | "forward_kl" | "js_divergence" | "alpha_divergence";

/** A name of the table, or one that TRL used to have for it (warned about). */
export type LossName = LossType | (string & {});

/** Which loss, with which hyperparameters; names are TRL's in camelCase. */
export interface LossOptions {
  /** One or several of `lossTypes`, or losses made with `defineLoss`. Default "sigmoid". */
  lossType?: LossName | Loss | readonly (LossName | Loss)[] | undefined;
  /** One finite number per loss; default all 1, not normalised. */
  lossWeights?: readonly number[] | undefined;
  /** > 0, default 0.1. */
  beta?: number | undefined;
  /** [0, 0.5]; `robust` [0, 0.5); `exo_pair` (0, 0.5), default 1e-3 there and 0 elsewhere. */
  labelSmoothing?: number | undefined;
  /** > 0, default 0.05. */
  discopopTau?: number | undefined;
  fDivergence?: FDivergence | undefined;
  /** α of the α-divergence, default 0.5. */
  fAlpha?: number | undefined;
  /**
   * Whether the scores of an f-divergence are 0 at a log-ratio of 0, as in the paper and in TRL since v1.10; `false` drops
   * their constants, as TRL did before. Losses per token alone feel it. Default true.
   */
  fConstants?: boolean | undefined;
  /** LD-DPO, [0, 1]; calls that see tokens. */
  ldAlpha?: number | undefined;
  /** WPO; calls that see logits. */
  weighting?: "wpo" | undefined;
  /** The reference counts as 0 in the losses of log-ratios. */
  referenceFree?: boolean | undefined;
  /** γ of `simpo`, absolute, default 0.5. */
  simpoGamma?: number | undefined;
  /** α of AlphaPO, default 0: `cpo_sigmoid`, `cpo_hinge`, `cpo_ipo`, `simpo` of (1 − e^(−αs)) / α in place of log-probs s. */
  alphapoAlpha?: number | undefined;
  /** ≥ 0, default 0 (1 in TRL): the weight of the chosen completions' NLL beside CPO's losses and `simpo`, in calls that see tokens. */
  cpoAlpha?: number | undefined;
  /** Whether `orpo` has its NLL of the chosen rows, prompts included, in calls that see tokens. Default true. */
  nll?: boolean | undefined;
  /** λ of `dpop`, ≥ 0, default 50. */
  dpopLambda?: number | undefined;
  /** ≥ 0, default 1: multiply the losses of desirable and of undesirable rows in `kto`, `apo_zero_unpaired`. */
  desirableWeight?: number | undefined;
  undesirableWeight?: number | undefined;
  /** δ of `bco_pair` and `bco`: a number, or a running mean that each successful call updates. */
  rewardShift?: number | RunningMean | undefined;
}

/** What every call takes beside the loss options. */
export interface CallOptions {
  /** Multiplies all gradients. Default 1. */
  gradScale?: number | undefined;
  /** "full" adds what costs extra. Default "basic". */
  metrics?: "basic" | "full" | undefined;
  /** "finite" also refuses non-finite floats, naming the index. Default "ids". */
  validate?: "ids" | "finite" | undefined;
  /** Ends the call with an AbortError. */
  signal?: Signal | undefined;
  /** Called with (done, total): pairs, or tokens that count. */
  onProgress?: ((done: number, total: number) => void) | undefined;
  /** On a pool: the logits are given away. Their buffer is detached and moved to one worker, in place of copies. */
  transfer?: boolean | undefined;
}

export interface PairLossOptions extends LossOptions, CallOptions {
  out?: PairBuffers | undefined;
}

export interface UnpairedLossOptions extends LossOptions, CallOptions {
  out?: RowBuffers | undefined;
}

/** Token ids, offsets: ONNX Runtime and transformers.js give BigInt64Array. */
export type Ids = Int32Array<ArrayBufferLike> | BigInt64Array<ArrayBufferLike>;

/** 1 where a token counts, 0 elsewhere. */
export type Mask = Uint8Array<ArrayBufferLike> | Int32Array<ArrayBufferLike> | BigInt64Array<ArrayBufferLike>;

/** Logits, hidden states, weights: float32, float16 (as such or as bits), bfloat16 (as bits). */
export type Floats =
  | Float32Array<ArrayBufferLike>
  | HalfArray
  | { f16: Uint16Array<ArrayBufferLike> }
  | { bf16: Uint16Array<ArrayBufferLike> };

/** Padded rows: 2B sequences of T positions, the B chosen first, then the B rejected. */
export interface Tokens {
  /** B */
  pairs: number;
  /** T */
  length: number;
  /** [2B·T] */
  inputIds: Ids;
  /** [2B·T] 1 on completion tokens; holes allowed. */
  completionMask: Mask;
  /** [2B·T] the model's: which positions are no padding. ORPO's NLL reads it; without it rows count as padded on the right. */
  attentionMask?: Mask | undefined;
  /** k: logits or hidden states begin at position k of each row, [2B·(T−k)·V], as of a model that was asked for its last positions alone. Default 0. */
  logitsFrom?: number | undefined;
}

/** No padding and no prompts: the tokens that count, already shifted. */
export interface PackedTokens {
  /** B */
  pairs: number;
  /** [2B+1] ascending; row r owns tokens offsets[r] .. offsets[r+1]−1. */
  offsets: Ids;
  /** [offsets[2B]] the token id predicted at each position. */
  targets: Ids;
  /** [2B] completion lengths for length-normalised losses; default: the row's tokens. */
  lengths?: Ids | undefined;
}

/** Any number of sequences, which have no partners: `rows` of them in place of pairs, padded. */
export interface TokenRows extends Omit<Tokens, "pairs"> {
  rows: number;
}

/** The same without padding. */
export interface PackedRows extends Omit<PackedTokens, "pairs"> {
  rows: number;
}

export type SequenceTokens = Tokens | PackedTokens | TokenRows | PackedRows;

export interface ElementTypes {
  f32: Float32Array;
  f16: Uint16Array;
  bf16: Uint16Array;
  i32: Int32Array;
  u8: Uint8Array;
}

/** The reference of a call that sees tokens: log-probs; logits in the layout of the policy's; hidden states and a head. */
export type Reference =
  | { logps: FloatArray }
  | { logits: Floats }
  | {
      hidden: Floats;
      /** [V·hiddenSize] */
      weight: Floats;
      /** [V] */
      bias?: Floats | undefined;
      /** Default: the policy's, which `logitsLoss` does not know: there it is needed. */
      hiddenSize?: number | undefined;
    };

/** What losses take beside tokens and logits, or hidden states. */
export interface LossInputs {
  reference?: Reference | undefined;
  /** [B] Δ* of the reward-aware losses, as `pairLoss` takes it. */
  rewardMargin?: FloatArray | undefined;
}

/** A low-rank adapter: head = weight + scale·b·a, which is never formed. */
export interface Lora {
  /** [rank·D] */
  a: Float32Array<ArrayBufferLike>;
  /** [V·rank] */
  b: Float32Array<ArrayBufferLike>;
  rank: number;
  /** α / rank in the usual notation. */
  scale: number;
}

/** Hidden states over tokens, and the head that makes logits of them. */
export interface LinearBatch<F extends Floats = Floats> {
  tokens: Tokens | PackedTokens;
  /** V */
  vocab: number;
  /** D */
  hiddenSize: number;
  /** [2B·T·D] padded, [2B·(T−k)·D] with `logitsFrom` k, [N·D] packed; only rows that count are read. */
  hidden: F;
  /** [V·D]; frozen with `lora`. */
  weight: F;
  /** [V]; frozen with `lora`. */
  bias?: F | undefined;
  lora?: Lora | undefined;
}

/** Logits over tokens: [2B·T·V] padded, [2B·(T−k)·V] with `logitsFrom` k, [N·V] packed, row-major. */
export interface LogitsBatch<L extends Floats = Floats> {
  tokens: Tokens | PackedTokens;
  /** V */
  vocab: number;
  logits: L;
}

/** What rows of tokens have in place of pairs: labels, and what the losses of rows know of the batch. */
export interface RowsOfTokens {
  tokens: TokenRows | PackedRows;
  /** [rows] 1, true: a completion to learn; 0, false: one to unlearn. */
  desirable: Uint8Array<ArrayBufferLike> | readonly boolean[];
  /** Required by `kto`: log-probs of mismatched rows, any number of them, as `sequenceLogps` gives them. */
  kl?: { policy: FloatArray; reference: FloatArray } | undefined;
}

/** Logits over single rows: [rows·T·V] padded, [N·V] packed. */
export type UnpairedLogitsBatch<L extends Floats = Floats> = Omit<LogitsBatch<L>, "tokens"> & RowsOfTokens;

/** Hidden states over single rows: [rows·T·D] padded, [N·D] packed. */
export type UnpairedLinearBatch<F extends Floats = Floats> = Omit<LinearBatch<F>, "tokens"> & RowsOfTokens;

/** What becomes of logits before anything looks at them, the policy's and the reference's: z·logitScale, then c·tanh(z/c), then z/temperature. */
export interface LogitOptions {
  /** > 0, default 1. */
  logitScale?: number | undefined;
  /** c > 0; without it logits are not capped. */
  logitSoftcap?: number | undefined;
  /** > 0, default 1. */
  temperature?: number | undefined;
}

/** Logits over tokens, or hidden states and a head; of pairs, or of any sequences. */
export type SequencesBatch = OverSequences<LogitsBatch> | OverSequences<LinearBatch>;

/** The same batch, of pairs or of any sequences. */
export type OverSequences<Batch extends { tokens: unknown }> = Omit<Batch, "tokens"> & { tokens: SequenceTokens };

/** dL / d what `sequenceLogps` gives, of any function L of it; one of them at least. */
export interface LogpsGradients {
  /** [2B], or [rows] */
  logps?: FloatArray | undefined;
  /** In the layout of the tokens; what stands where nothing counts is not looked at. */
  tokenLogps?: FloatArray | undefined;
  entropy?: FloatArray | undefined;
}

/** Buffers for the results of `sequenceLogps`. */
export interface LogpsBuffers {
  logps?: Float64Array<ArrayBufferLike> | undefined;
  tokenLogps?: FloatArray | undefined;
  logsumexp?: FloatArray | undefined;
  /** With `entropy: true`. */
  entropy?: Float32Array<ArrayBufferLike> | undefined;
}

export interface SequenceLogpsOptions extends CallOptions, LogitOptions {
  /** LD-DPO, [0, 1]: the weight of tokens beyond the shorter completion of the pair. */
  ldAlpha?: number | undefined;
  /** Whether the result has the entropy of each token. Default false. */
  entropy?: boolean | undefined;
  out?: LogpsBuffers | undefined;
}

export interface SequenceLogpsResult {
  /** [2B] sums over completion tokens, the B chosen first; nats. */
  logps: Float64Array<ArrayBufferLike>;
  /** In the layout of the tokens: index t belongs to the logits row t; 0 where nothing counts. */
  tokenLogps: FloatArray;
  /** log Σ e^logit of each row that counts; 0 elsewhere. Float64: at logits of 1e4 float32 would lose 5e-4. */
  logsumexp: FloatArray;
  /** With `entropy: true`, in the layout of the tokens: −Σ p·log p of each row that counts, nats; 0 elsewhere. */
  entropy?: Float32Array<ArrayBufferLike>;
  /** "logps/*", "mean_token_accuracy"; with `metrics: "full"` also "entropy", "logits/*". */
  metrics: Record<string, number>;
}

export interface LogitsLossOptions extends LossOptions, CallOptions, LogitOptions {
  /** The gradient is written over `logits`. */
  inPlace?: boolean | undefined;
  /** The type of `gradLogits`: that of the logits, or float32. Default "same". */
  gradType?: "same" | "f32" | undefined;
  out?: (PairBuffers & LogpsBuffers & { gradLogits?: Floats | undefined }) | undefined;
}

export interface LogitsLossResult<G extends Floats = Floats> extends PairLossResult, SequenceLogpsResult {
  /** dloss / d logits, in their layout and, unless `gradType` says otherwise, of their type; 0 where nothing counts. */
  gradLogits: G;
}

export interface UnpairedLogitsOptions extends Omit<LogitsLossOptions, "out" | "ldAlpha" | "weighting"> {
  out?: (RowBuffers & LogpsBuffers & { gradLogits?: Floats | undefined }) | undefined;
}

export interface UnpairedLogitsResult<G extends Floats = Floats> extends UnpairedLossResult, SequenceLogpsResult {
  /** As that of LogitsLossResult. */
  gradLogits: G;
}

export interface LinearBuffers<G extends Floats = Floats> {
  gradHidden?: G | undefined;
  gradWeight?: G | undefined;
  gradBias?: G | undefined;
  gradA?: Float32Array<ArrayBufferLike> | undefined;
  gradB?: Float32Array<ArrayBufferLike> | undefined;
}

export interface LinearLossOptions extends LossOptions, CallOptions, LogitOptions {
  /** The type of `gradHidden`, `gradWeight`, `gradBias`: that of the input, or float32. Default "same". */
  gradType?: "same" | "f32" | undefined;
  /** Adds to the gradients of the head in `out` instead of replacing them. */
  accumulate?: boolean | undefined;
  /**
   * What is not tuned, and whose gradient is neither computed nor given: what makes the hidden states, so that there is no
   * `gradHidden` and one matrix product of three or four less; or the head. The other gradients have the same bits.
   */
  frozen?: "hidden" | "head" | undefined;
  /**
   * The most bytes of logits (4 for each token and id) that are held between the passes, on wasm and a pool, and given back at the
   * end; what it has no room for is formed again, with the same bits. Default: all of them up to 64 MiB, else none.
   */
  keep?: number | undefined;
  out?: (PairBuffers & LogpsBuffers & LinearBuffers) | undefined;
}

export interface UnpairedLinearOptions extends Omit<LinearLossOptions, "out" | "ldAlpha" | "weighting"> {
  out?: (RowBuffers & LogpsBuffers & LinearBuffers) | undefined;
}

export interface UnpairedLinearResult<G extends Floats = Floats>
  extends UnpairedLossResult,
    SequenceLogpsResult,
    HeadGradients<G> {}

export interface LinearLossResult<G extends Floats = Floats>
  extends PairLossResult,
    SequenceLogpsResult,
    HeadGradients<G> {}

/** The gradients of hidden states and of their head. */
export interface HeadGradients<G extends Floats = Floats> {
  /** dloss / d hidden, in their layout and, unless `gradType` says otherwise, of their type; 0 where nothing counts. */
  gradHidden: G;
  /** [V·D]; not with `lora`, nor with a frozen head. */
  gradWeight?: G;
  /** [V]; where there is a bias, and no `lora`. */
  gradBias?: G;
  /** [rank·D] and [V·rank]; with `lora`. */
  gradA?: Float32Array<ArrayBufferLike>;
  gradB?: Float32Array<ArrayBufferLike>;
}

export interface SequenceLogpsGradOptions extends Omit<CallOptions, "metrics">, LogitOptions {
  /** As `sequenceLogps` took it: the weight of tokens beyond the shorter completion of the pair in `logps`. */
  ldAlpha?: number | undefined;
  /** The gradient is written over `logits`. */
  inPlace?: boolean | undefined;
  /** The type of the gradients: that of the input, or float32. Default "same". */
  gradType?: "same" | "f32" | undefined;
  /** Adds to the gradients of the head in `out` instead of replacing them. */
  accumulate?: boolean | undefined;
  /**
   * What is not tuned, and whose gradient is neither computed nor given: what makes the hidden states, so that there is no
   * `gradHidden` and one matrix product of three or four less; or the head. The other gradients have the same bits.
   */
  frozen?: "hidden" | "head" | undefined;
  /**
   * The most bytes of logits (4 for each token and id) that are held between the passes, on wasm and a pool, and given back at the
   * end; what it has no room for is formed again, with the same bits. Default: all of them up to 64 MiB, else none.
   */
  keep?: number | undefined;
  out?: (LinearBuffers & { gradLogits?: Floats | undefined }) | undefined;
}

/** Gradients of L: with respect to logits, or to hidden states and the head, or its adapter. */
export interface SequenceLogpsGradResult extends LinearBuffers {
  gradLogits?: Floats | undefined;
}

/** What a call gives: at once, or promised. */
type Gives<Later extends boolean, T> = Later extends true ? Promise<T> : T;

type Float32 = Float32Array<ArrayBufferLike>;

/** Options that leave `gradHidden` out. */
export type OnFrozen<Options> = Options & { frozen: "hidden" };
type Float16Bits = { f16: Uint16Array<ArrayBufferLike> };
type Bfloat16Bits = { bf16: Uint16Array<ArrayBufferLike> };
type AsFloat32<Options> = Options & { gradType: "f32" };
type WithInputs<Batch> = Batch & LossInputs;
type WithReference<Batch> = Batch & { reference?: Reference | undefined };

/** The calls of every backend. Gradients are of the type of what they are gradients of, unless `gradType` says otherwise. */
export interface Calls<Later extends boolean> {
  /**
   * Losses, gradients and metrics of B pairs from their sequence log-probabilities.
   *
   * Throws    ShapeError, ParamError, KindError as docs/errors.md says; nothing is written then
   */
  pairLoss(pairs: PairLogps, options?: PairLossOptions): Gives<Later, PairLossResult>;
  /**
   * Losses, gradients and metrics of B single rows from their sequence log-probabilities: thumbs up and thumbs down.
   *
   * Throws    as `pairLoss`
   * @example  import { createWasm } from "dpo-kernels";
   *           const wasm = await createWasm();
   *           const rows = { policy: Float32Array.of(-10, -9), reference: Float32Array.of(-11, -8), desirable: Uint8Array.of(1, 0) };
   *           const { loss, grad, metrics } = wasm.unpairedLoss(rows, { lossType: "apo_zero_unpaired", beta: 0.1 });
   */
  unpairedLoss(rows: RowLogps, options?: UnpairedLossOptions): Gives<Later, UnpairedLossResult>;
  /**
   * Token and sequence log-probabilities of a batch of logits, or of hidden states and a head: forward alone.
   *
   * Throws    ShapeError, ParamError, KindError; ParamError "bad-id" with row and position
   */
  sequenceLogps(
    batch: SequencesBatch,
    options: SequenceLogpsOptions & { entropy: true },
  ): Gives<Later, SequenceLogpsResult & { entropy: Float32 }>;
  sequenceLogps(batch: SequencesBatch, options?: SequenceLogpsOptions): Gives<Later, SequenceLogpsResult>;
  /**
   * The backward pass of any function L of what `sequenceLogps` gives: from dL / d log-probs and entropies to logits, or to hidden
   * states and their head.
   *
   * Throws    as `sequenceLogps`
   * @example  import { createWasm } from "dpo-kernels";
   *           const wasm = await createWasm();
   *           const tokens = { pairs: 1, offsets: Int32Array.of(0, 1, 2), targets: Int32Array.of(2, 0) };
   *           const batch = { tokens, vocab: 3, logits: new Float32Array(2 * 3) };
   *           const { gradLogits } = wasm.sequenceLogpsGrad(batch, { logps: Float64Array.of(1, -1) });
   */
  sequenceLogpsGrad(
    batch: OverSequences<LogitsBatch<Float32>>,
    gradients: LogpsGradients,
    options?: SequenceLogpsGradOptions,
  ): Gives<Later, { gradLogits: Float32 }>;
  sequenceLogpsGrad(
    batch: OverSequences<LogitsBatch>,
    gradients: LogpsGradients,
    options: AsFloat32<SequenceLogpsGradOptions>,
  ): Gives<Later, { gradLogits: Float32 }>;
  sequenceLogpsGrad(
    batch: OverSequences<LogitsBatch<HalfArray>>,
    gradients: LogpsGradients,
    options?: SequenceLogpsGradOptions,
  ): Gives<Later, { gradLogits: HalfArray }>;
  sequenceLogpsGrad(
    batch: OverSequences<LogitsBatch<Float16Bits>>,
    gradients: LogpsGradients,
    options?: SequenceLogpsGradOptions,
  ): Gives<Later, { gradLogits: Float16Bits }>;
  sequenceLogpsGrad(
    batch: OverSequences<LogitsBatch<Bfloat16Bits>>,
    gradients: LogpsGradients,
    options?: SequenceLogpsGradOptions,
  ): Gives<Later, { gradLogits: Bfloat16Bits }>;
  sequenceLogpsGrad(
    batch: OverSequences<LogitsBatch>,
    gradients: LogpsGradients,
    options?: SequenceLogpsGradOptions,
  ): Gives<Later, { gradLogits: Floats }>;
  sequenceLogpsGrad(
    batch: OverSequences<LinearBatch<Float32>>,
    gradients: LogpsGradients,
    options?: SequenceLogpsGradOptions,
  ): Gives<Later, LinearBuffers<Float32> & { gradHidden: Float32 }>;
  sequenceLogpsGrad(
    batch: OverSequences<LinearBatch>,
    gradients: LogpsGradients,
    options?: SequenceLogpsGradOptions,
  ): Gives<Later, LinearBuffers & { gradHidden: Floats }>;
  sequenceLogpsGrad(
    batch: SequencesBatch,
    gradients: LogpsGradients,
    options?: SequenceLogpsGradOptions,
  ): Gives<Later, SequenceLogpsGradResult>;
  /**
   * Losses from logits, and their gradient with respect to the logits. Only rows that count are read.
   *
   * Throws    as `pairLoss` and `sequenceLogps`
   */
  logitsLoss(
    batch: WithInputs<LogitsBatch<Float32>>,
    options?: LogitsLossOptions,
  ): Gives<Later, LogitsLossResult<Float32>>;
  logitsLoss(
    batch: WithInputs<LogitsBatch>,
    options: AsFloat32<LogitsLossOptions>,
  ): Gives<Later, LogitsLossResult<Float32>>;
  logitsLoss(
    batch: WithInputs<LogitsBatch<HalfArray>>,
    options?: LogitsLossOptions,
  ): Gives<Later, LogitsLossResult<HalfArray>>;
  logitsLoss(
    batch: WithInputs<LogitsBatch<Float16Bits>>,
    options?: LogitsLossOptions,
  ): Gives<Later, LogitsLossResult<Float16Bits>>;
  logitsLoss(
    batch: WithInputs<LogitsBatch<Bfloat16Bits>>,
    options?: LogitsLossOptions,
  ): Gives<Later, LogitsLossResult<Bfloat16Bits>>;
  logitsLoss(
    batch: WithReference<UnpairedLogitsBatch<Float32>>,
    options?: UnpairedLogitsOptions,
  ): Gives<Later, UnpairedLogitsResult<Float32>>;
  logitsLoss(
    batch: WithReference<UnpairedLogitsBatch>,
    options: AsFloat32<UnpairedLogitsOptions>,
  ): Gives<Later, UnpairedLogitsResult<Float32>>;
  logitsLoss(
    batch: WithReference<UnpairedLogitsBatch<HalfArray>>,
    options?: UnpairedLogitsOptions,
  ): Gives<Later, UnpairedLogitsResult<HalfArray>>;
  logitsLoss(
    batch: WithReference<UnpairedLogitsBatch<Float16Bits>>,
    options?: UnpairedLogitsOptions,
  ): Gives<Later, UnpairedLogitsResult<Float16Bits>>;
  logitsLoss(
    batch: WithReference<UnpairedLogitsBatch<Bfloat16Bits>>,
    options?: UnpairedLogitsOptions,
  ): Gives<Later, UnpairedLogitsResult<Bfloat16Bits>>;
  logitsLoss(
    batch: WithReference<UnpairedLogitsBatch>,
    options?: UnpairedLogitsOptions,
  ): Gives<Later, UnpairedLogitsResult>;
  logitsLoss(batch: WithInputs<LogitsBatch>, options?: LogitsLossOptions): Gives<Later, LogitsLossResult>;
  /**
   * Losses from hidden states and a head, and the gradients of both: more than 64 MB of logits never exist as a whole.
   *
   * Throws    as `logitsLoss`
   * @example  import { createWasm } from "dpo-kernels";
   *           const wasm = await createWasm();
   *           const tokens = { pairs: 1, offsets: Int32Array.of(0, 1, 2), targets: Int32Array.of(2, 0) };
   *           const head = { vocab: 3, hiddenSize: 2, hidden: new Float32Array(2 * 2), weight: new Float32Array(3 * 2) };
   *           const { loss, gradHidden } = wasm.linearLoss({ tokens, ...head, reference: { logps: Float64Array.of(-1, -1) } });
   */
  linearLoss(
    batch: WithInputs<LinearBatch>,
    options: OnFrozen<LinearLossOptions>,
  ): Gives<Later, Omit<LinearLossResult, "gradHidden">>;
  linearLoss(
    batch: WithReference<UnpairedLinearBatch>,
    options: OnFrozen<UnpairedLinearOptions>,
  ): Gives<Later, Omit<UnpairedLinearResult, "gradHidden">>;
  linearLoss(
    batch: WithInputs<LinearBatch<Float32>>,
    options?: LinearLossOptions,
  ): Gives<Later, LinearLossResult<Float32>>;
  linearLoss(
    batch: WithInputs<LinearBatch>,
    options: AsFloat32<LinearLossOptions>,
  ): Gives<Later, LinearLossResult<Float32>>;
  linearLoss(
    batch: WithReference<UnpairedLinearBatch<Float32>>,
    options?: UnpairedLinearOptions,
  ): Gives<Later, UnpairedLinearResult<Float32>>;
  linearLoss(
    batch: WithReference<UnpairedLinearBatch>,
    options: AsFloat32<UnpairedLinearOptions>,
  ): Gives<Later, UnpairedLinearResult<Float32>>;
  linearLoss(
    batch: WithReference<UnpairedLinearBatch>,
    options?: UnpairedLinearOptions,
  ): Gives<Later, UnpairedLinearResult>;
  linearLoss(batch: WithInputs<LinearBatch>, options?: LinearLossOptions): Gives<Later, LinearLossResult>;
}

/** A backend that computes elsewhere, such as a pool of workers: the calls of `Backend`, promised. */
export interface AsyncBackend extends Calls<true>, DisposesNow, DisposesLater {
  readonly name: string;
  /** Why this one, and how data get there, in words. */
  readonly reason: string;
  /** A zeroed typed array that calls use without copying, where memory can be shared; a plain one elsewhere. */
  allocate<T extends keyof ElementTypes>(type: T, n: number): ElementTypes[T];
  /** Gives an array of `allocate` back: that very array, once. */
  free(array: ArrayBufferView): void;
  /** Rejects the calls under way and ends everything; resolves when all has ended. */
  dispose(): Promise<void>;
}

/** What a backend of this thread offers: calls return at once. */
export interface Backend extends Calls<false>, DisposesNow {
  readonly name: string;
  /** Why this one, in words. */
  readonly reason: string;
  /** A zeroed typed array in the backend's own memory, which calls use without copying. */
  allocate<T extends keyof ElementTypes>(type: T, n: number): ElementTypes[T];
  /**
   * Gives an array of `allocate` back: that very array, once. Views of it are no arrays any more.
   *
   * Throws    KindError for any other value
   */
  free(array: ArrayBufferView): void;
  dispose(): void;
}

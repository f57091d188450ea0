// What calls on WebGPU take and return beside the types of every backend: parts of GPU buffers.

import type { GpuBuffer } from "../../globals.ts";
import type { FloatType } from "../../inputs/floats.ts";
import type {
  Calls,
  FloatArray,
  Floats,
  Ids,
  LengthArray,
  LinearBatch,
  LinearLossOptions,
  LinearLossResult,
  LogitsBatch,
  LogitsLossOptions,
  LogitsLossResult,
  LogpsGradients,
  LossInputs,
  Mask,
  OnFrozen,
  PackedTokens,
  PairLossOptions,
  PairLossResult,
  Reference,
  SequenceLogpsGradOptions,
  SequenceLogpsGradResult,
  SequenceLogpsOptions,
  SequenceLogpsResult,
  SequencesBatch,
  Tokens,
  UnpairedLinearBatch,
  UnpairedLinearOptions,
  UnpairedLinearResult,
  UnpairedLogitsBatch,
  UnpairedLogitsOptions,
  UnpairedLogitsResult,
} from "../../types.ts";

/** A part of a buffer on the backend's device, in bytes; by default all of it. Multiples of 4. */
export interface GpuArray {
  readonly buffer: GpuBuffer;
  readonly offset?: number | undefined;
  readonly size?: number | undefined;
  /** Of logits, hidden states and heads: the element type. Default "f32". */
  readonly type?: FloatType | undefined;
}

/** As `PairLogps`; arrays on the GPU hold float32. */
export interface GpuPairLogps {
  policyChosen: FloatArray | GpuArray;
  policyRejected: FloatArray | GpuArray;
  referenceChosen?: FloatArray | GpuArray | undefined;
  referenceRejected?: FloatArray | GpuArray | undefined;
  chosenLengths?: LengthArray | BigInt64Array | GpuArray | undefined;
  rejectedLengths?: LengthArray | BigInt64Array | GpuArray | undefined;
  rewardMargin?: FloatArray | GpuArray | undefined;
  pairWeights?: FloatArray | GpuArray | undefined;
}

/** Tokens whose arrays may lie on the GPU, as int32; masks and offsets are read back first. */
export type GpuTokens =
  | (Omit<Tokens, "inputIds" | "completionMask"> & { inputIds: Ids | GpuArray; completionMask: Mask | GpuArray })
  | (Omit<PackedTokens, "targets" | "offsets" | "lengths"> & {
      targets: Ids | GpuArray;
      offsets: Ids | GpuArray;
      lengths?: Ids | GpuArray | undefined;
    });

export interface GpuLogitsBatch {
  tokens: GpuTokens;
  vocab: number;
  logits: Floats | GpuArray;
}

/** Tokens of any sequences. */
export type GpuAnyTokens = GpuTokens | (Omit<GpuTokens, "pairs"> & { rows: number });

/** As `SequencesBatch`. */
export type GpuSequencesBatch = (Omit<GpuLogitsBatch, "tokens"> | Omit<GpuHeadBatch, "tokens" | "reference">) & {
  tokens: GpuAnyTokens;
};

/** As `Reference`; log-probs on the GPU are float32. */
export type GpuReference =
  | { logps: FloatArray | GpuArray }
  | { logits: Floats | GpuArray }
  | {
      hidden: Floats | GpuArray;
      weight: Floats | GpuArray;
      bias?: Floats | GpuArray | undefined;
      hiddenSize?: number | undefined;
    };

/** As `LossInputs`. */
export interface GpuLossInputs {
  reference?: GpuReference | undefined;
  rewardMargin?: FloatArray | undefined;
}

/** As `LinearBatch`; what `lora` has on the GPU is float32. */
export interface GpuHeadBatch extends GpuLossInputs {
  tokens: GpuTokens;
  vocab: number;
  hiddenSize: number;
  hidden: Floats | GpuArray;
  weight: Floats | GpuArray;
  bias?: Floats | GpuArray | undefined;
  lora?: { a: Float32Array | GpuArray; b: Float32Array | GpuArray; rank: number; scale: number } | undefined;
}

interface Readback {
  /** `false`: results stay on the GPU, and nothing is waited for. Default true. */
  readback?: boolean | undefined;
}

export type GpuPairLossOptions = PairLossOptions & Readback;
export type GpuSequenceLogpsOptions = SequenceLogpsOptions & Readback;
export type GpuLogitsLossOptions = Omit<LogitsLossOptions, "out"> &
  Readback & {
    out?:
      | (Omit<NonNullable<LogitsLossOptions["out"]>, "gradLogits"> & { gradLogits?: Floats | GpuArray | undefined })
      | undefined;
  };

type LinearGradients = "gradHidden" | "gradWeight" | "gradBias" | "gradA" | "gradB";

export type GpuLinearLossOptions = Omit<LinearLossOptions, "out"> &
  Readback & {
    out?:
      | (Omit<NonNullable<LinearLossOptions["out"]>, LinearGradients> &
          Partial<Record<LinearGradients, Floats | GpuArray | undefined>>)
      | undefined;
  };

/** A part of a buffer that a call made or was given. */
export interface GpuRange {
  readonly buffer: GpuBuffer;
  readonly offset: number;
  readonly size: number;
}

/** Results on the GPU: float32 unless said otherwise. The buffers are the caller's now. */
interface Resident {
  /** Float32, in the order of `gpuMetrics`. */
  metrics: GpuRange;
  /** Rejects with what the device thought of the commands; need not be awaited. */
  readonly done: Promise<void>;
  /** Destroys the buffers that the call made. */
  destroy(): void;
}

export interface GpuPairLossResult extends Resident {
  losses: GpuRange;
  gradChosen: GpuRange;
  gradRejected: GpuRange;
  chosenRewards: GpuRange;
  rejectedRewards: GpuRange;
}

export interface GpuSequenceLogpsResult extends Resident {
  /** [2B], or one for each row */
  logps: GpuRange;
  tokenLogps: GpuRange;
  logsumexp: GpuRange;
  /** With `entropy: true`. */
  entropy?: GpuRange;
}

export interface GpuLogitsLossResult extends GpuPairLossResult, GpuSequenceLogpsResult {
  /** In the type of the logits, or of `gradType`. */
  gradLogits: GpuRange;
}

/** Gradients in the type of what they are the gradients of, or of `gradType`. */
export interface GpuLinearLossResult extends GpuPairLossResult, GpuSequenceLogpsResult {
  gradHidden: GpuRange;
  gradWeight?: GpuRange;
  gradBias?: GpuRange;
  gradA?: GpuRange;
  gradB?: GpuRange;
}

/** What stands where in `metrics`: `loss`, TRL's keys, and how many ids on the GPU were out of range and clamped. */
export const gpuMetrics = [
  "loss",
  "rewards/chosen",
  "rewards/rejected",
  "rewards/accuracies",
  "rewards/margins",
  "logps/chosen",
  "logps/rejected",
  "mean_token_accuracy",
  "entropy",
  "logits/chosen",
  "logits/rejected",
  "clamped_ids",
] as const;

/** A `logitsLoss` result whose gradient may have stayed on the GPU, where the caller's buffer for it lies there. */
export type MixedLogitsLossResult = Omit<LogitsLossResult, "gradLogits"> & { gradLogits: Floats | GpuArray };

/** As `MixedLogitsLossResult`, of a head. */
export type MixedLinearLossResult = Omit<LinearLossResult, LinearGradients> & {
  gradHidden: Floats | GpuArray;
} & Partial<Record<Exclude<LinearGradients, "gradHidden">, Floats | GpuArray>>;

/** As `SequenceLogpsGradResult`; gradients may have stayed on the GPU, where the caller's buffers for them lie there. */
export type MixedSequenceLogpsGradResult = {
  [Name in keyof SequenceLogpsGradResult]: SequenceLogpsGradResult[Name] | GpuArray;
};

export type GpuSequenceLogpsGradOptions = Omit<SequenceLogpsGradOptions, "out"> &
  Readback & {
    out?: Partial<Record<LinearGradients | "gradLogits", Floats | GpuArray | undefined>> | undefined;
  };

/** Gradients that stay on the GPU, as `SequenceLogpsGradResult` has them; of the metrics there is "clamped_ids" alone. */
export interface GpuSequenceLogpsGradResult
  extends Resident,
    Partial<Record<LinearGradients | "gradLogits", GpuRange>> {}

/** Calls whose results stay on the GPU. */
interface ResidentCalls {
  pairLoss(pairs: GpuPairLogps, options: GpuPairLossOptions & { readback: false }): Promise<GpuPairLossResult>;
  sequenceLogps(
    batch: GpuSequencesBatch,
    options: GpuSequenceLogpsOptions & { readback: false },
  ): Promise<GpuSequenceLogpsResult>;
  logitsLoss(
    batch: GpuLogitsBatch & GpuLossInputs,
    options: GpuLogitsLossOptions & { readback: false },
  ): Promise<GpuLogitsLossResult>;
  linearLoss(
    batch: GpuHeadBatch,
    options: OnFrozen<GpuLinearLossOptions> & { readback: false },
  ): Promise<Omit<GpuLinearLossResult, "gradHidden">>;
  linearLoss(batch: GpuHeadBatch, options: GpuLinearLossOptions & { readback: false }): Promise<GpuLinearLossResult>;
}

/** Calls on arrays and GPU buffers, mixed freely. */
interface MixedCalls {
  pairLoss(pairs: GpuPairLogps, options?: PairLossOptions & { readback?: true }): Promise<PairLossResult>;
  sequenceLogps(
    batch: GpuSequencesBatch,
    options?: SequenceLogpsOptions & { readback?: true },
  ): Promise<SequenceLogpsResult>;
  sequenceLogpsGrad(
    batch: GpuSequencesBatch,
    gradients: LogpsGradients,
    options: GpuSequenceLogpsGradOptions & { readback: false },
  ): Promise<GpuSequenceLogpsGradResult>;
  sequenceLogpsGrad(
    batch: SequencesBatch,
    gradients: LogpsGradients,
    options?: SequenceLogpsGradOptions & { readback?: true },
  ): Promise<SequenceLogpsGradResult>;
  sequenceLogpsGrad(
    batch: GpuSequencesBatch,
    gradients: LogpsGradients,
    options?: GpuSequenceLogpsGradOptions & { readback?: true },
  ): Promise<MixedSequenceLogpsGradResult>;
  logitsLoss(
    batch: UnpairedLogitsBatch & { reference?: Reference | undefined },
    options?: UnpairedLogitsOptions,
  ): Promise<UnpairedLogitsResult>;
  logitsLoss(
    batch: LogitsBatch & LossInputs,
    options?: LogitsLossOptions & { readback?: true },
  ): Promise<LogitsLossResult>;
  logitsLoss(
    batch: GpuLogitsBatch & GpuLossInputs,
    options?: GpuLogitsLossOptions & { readback?: true },
  ): Promise<MixedLogitsLossResult>;
  linearLoss(
    batch: UnpairedLinearBatch & { reference?: Reference | undefined },
    options?: UnpairedLinearOptions,
  ): Promise<UnpairedLinearResult>;
  linearLoss(
    batch: LinearBatch & LossInputs,
    options?: LinearLossOptions & { readback?: true },
  ): Promise<LinearLossResult>;
  linearLoss(
    batch: GpuHeadBatch,
    options: OnFrozen<GpuLinearLossOptions> & { readback?: true },
  ): Promise<Omit<MixedLinearLossResult, "gradHidden">>;
  linearLoss(batch: GpuHeadBatch, options?: GpuLinearLossOptions & { readback?: true }): Promise<MixedLinearLossResult>;
}

/** The calls of the backend on a GPU: the first that fits says what comes back. */
export type GpuCalls = ResidentCalls & Calls<true> & MixedCalls;

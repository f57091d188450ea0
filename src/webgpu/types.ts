// What calls on WebGPU take and return beside the types of every backend: parts of GPU buffers.

import type { FloatType } from "../floats.ts";
import type {
  FloatArray,
  Floats,
  Ids,
  LengthArray,
  LogitsBatch,
  LogitsLossOptions,
  LogitsLossResult,
  PackedTokens,
  PairLossOptions,
  PairLossResult,
  Reference,
  SequenceLogpsOptions,
  SequenceLogpsResult,
  Tokens,
} from "../types.ts";

/** A part of a buffer on the backend's device, in bytes; by default all of it. Multiples of 4. */
export interface GpuArray {
  readonly buffer: GPUBuffer;
  readonly offset?: number | undefined;
  readonly size?: number | undefined;
  /** Of logits: the element type. Default "f32". */
  readonly type?: FloatType | undefined;
}

/** As `PairLogps`; arrays on the GPU hold float32. */
export interface GpuPairLogps {
  policyChosen: FloatArray | GpuArray;
  policyRejected: FloatArray | GpuArray;
  referenceChosen?: FloatArray | GpuArray | undefined;
  referenceRejected?: FloatArray | GpuArray | undefined;
  chosenLengths?: LengthArray | GpuArray | undefined;
  rejectedLengths?: LengthArray | GpuArray | undefined;
  pairWeights?: FloatArray | GpuArray | undefined;
}

/** Tokens whose ids may lie on the GPU, as int32; which rows count has to be known here. */
export type GpuTokens =
  | (Omit<Tokens, "inputIds"> & { inputIds: Ids | GpuArray })
  | (Omit<PackedTokens, "targets"> & { targets: Ids | GpuArray });

export interface GpuLogitsBatch {
  tokens: GpuTokens;
  vocab: number;
  logits: Floats | GpuArray;
}

export type GpuReference = { logps: FloatArray } | { logits: Floats | GpuArray };

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

/** A part of a buffer that a call made or was given. */
export interface GpuRange {
  readonly buffer: GPUBuffer;
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
  /** [2B] */
  logps: GpuRange;
  tokenLogps: GpuRange;
  logsumexp: GpuRange;
}

export interface GpuLogitsLossResult extends GpuPairLossResult, GpuSequenceLogpsResult {
  /** In the type of the logits, or of `gradType`. */
  gradLogits: GpuRange;
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

/** The calls, with what they give for each `readback`. */
export interface GpuCalls {
  pairLoss(pairs: GpuPairLogps, options: GpuPairLossOptions & { readback: false }): Promise<GpuPairLossResult>;
  pairLoss(pairs: GpuPairLogps, options?: PairLossOptions & { readback?: true }): Promise<PairLossResult>;
  sequenceLogps(
    batch: GpuLogitsBatch,
    options: GpuSequenceLogpsOptions & { readback: false },
  ): Promise<GpuSequenceLogpsResult>;
  sequenceLogps(
    batch: GpuLogitsBatch,
    options?: SequenceLogpsOptions & { readback?: true },
  ): Promise<SequenceLogpsResult>;
  logitsLoss(
    batch: GpuLogitsBatch & { reference?: GpuReference | undefined },
    options: GpuLogitsLossOptions & { readback: false },
  ): Promise<GpuLogitsLossResult>;
  logitsLoss(
    batch: LogitsBatch & { reference?: Reference | undefined },
    options?: LogitsLossOptions & { readback?: true },
  ): Promise<LogitsLossResult>;
  logitsLoss(
    batch: GpuLogitsBatch & { reference?: GpuReference | undefined },
    options?: GpuLogitsLossOptions & { readback?: true },
  ): Promise<MixedLogitsLossResult>;
}

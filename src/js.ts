// dpo-kernels/js: all of dpo-kernels that needs no WebAssembly.

export { createJs } from "./backends/js/js.ts";
export { collate, collateRows } from "./collate/collate.ts";
export { mismatch } from "./collate/mismatch.ts";
export type {
  CollateOptions,
  OldTrlTokenPair,
  PackedBatch,
  PackedRowsBatch,
  PaddedBatch,
  PaddedRows,
  TokenEncoding,
  TokenIds,
  TokenPair,
  TokenRow,
  TokenTensor,
  TrlTokenPair,
} from "./collate/types.ts";
export {
  AbortError,
  BackendError,
  DpoError,
  type ErrorCode,
  errorCodes,
  KindError,
  ParamError,
  ShapeError,
  WorkerError,
} from "./errors.ts";
export {
  type FromTrlOptions,
  type FromTrlResult,
  fromTrl,
  type Trainer,
  type TrlCollate,
  type TrlConfig,
  type TrlCounts,
  type TrlTrain,
} from "./from-trl/from-trl.ts";
export { logitTransform, type ModelLogitOptions } from "./from-trl/logit-transform.ts";
export { defineLoss } from "./losses/define.ts";
export { type LossType, losses, lossTypes } from "./losses/index.ts";
export type { LikelihoodLoss, Loss, MarginLoss, PairLoss, RowLoss } from "./losses/loss.ts";
export { log1mexpDiff, logsigmoid, sigmoid, softplus, softplusLog } from "./losses/math.ts";
export type { Param } from "./losses/ranges.ts";
export { createRunningMean, type RunningMean } from "./plan/running-mean.ts";
export type * from "./types.ts";

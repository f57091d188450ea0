// dpo-kernels/js: all of dpo-kernels that needs no WebAssembly.

export { createJs } from "./backends/js/js.ts";
export {
  type CollateOptions,
  collate,
  type OldTrlTokenPair,
  type PackedBatch,
  type PaddedBatch,
  type TokenEncoding,
  type TokenIds,
  type TokenPair,
  type TokenTensor,
  type TrlTokenPair,
} from "./collate/collate.ts";
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
  type TrlCollate,
  type TrlConfig,
  type TrlTrain,
} from "./from-trl/from-trl.ts";
export { logitTransform, type ModelLogitOptions } from "./from-trl/logit-transform.ts";
export { defineLoss, type LikelihoodLoss, type Loss, type MarginLoss, type PairLoss } from "./losses/define.ts";
export { type LossType, losses, lossTypes } from "./losses/index.ts";
export { logsigmoid, sigmoid, softplus } from "./losses/math.ts";
export type { Param } from "./losses/ranges.ts";
export { createRunningMean, type RunningMean } from "./plan/running-mean.ts";
export type * from "./types.ts";

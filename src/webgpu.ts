// dpo-kernels/webgpu: the backend on WebGPU.

export type { GpuAdamwState } from "./webgpu/adamw.ts";
export { createWebGpu, type WebGpuBackend } from "./webgpu/backend.ts";
export { hasRealGpu, type WebGpuOptions } from "./webgpu/device.ts";
export {
  type GpuArray,
  type GpuHeadBatch,
  type GpuLinearLossOptions,
  type GpuLinearLossResult,
  type GpuLogitsBatch,
  type GpuLogitsLossOptions,
  type GpuLogitsLossResult,
  type GpuPairLogps,
  type GpuPairLossOptions,
  type GpuPairLossResult,
  type GpuRange,
  type GpuReference,
  type GpuSequenceLogpsOptions,
  type GpuSequenceLogpsResult,
  type GpuTokens,
  gpuMetrics,
  type MixedLinearLossResult,
  type MixedLogitsLossResult,
} from "./webgpu/types.ts";

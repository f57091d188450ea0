// dpo-kernels/webgpu: the backend on WebGPU.

export type { GpuAdamwState } from "./webgpu/adamw.ts";
export { createWebGpu, type WebGpuBackend } from "./webgpu/backend.ts";
export { hasRealGpu, type WebGpuOptions } from "./webgpu/device.ts";
export {
  type GpuArray,
  type GpuHeadBatch,
  type GpuLinearLossResult,
  type GpuLogitsBatch,
  type GpuLogitsLossResult,
  type GpuPairLogps,
  type GpuPairLossResult,
  type GpuRange,
  type GpuReference,
  type GpuSequenceLogpsResult,
  type GpuTokens,
  gpuMetrics,
} from "./webgpu/types.ts";

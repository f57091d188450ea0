// dpo-kernels/webgpu: the backend on WebGPU.

export type { GpuAdamwState } from "./backends/webgpu/adamw.ts";
export { hasRealGpu, type WebGpuOptions } from "./backends/webgpu/device.ts";
export type { GpuTensors } from "./backends/webgpu/optim.ts";
export type { GpuSgdState } from "./backends/webgpu/sgd.ts";
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
  type GpuSequenceLogpsGradOptions,
  type GpuSequenceLogpsGradResult,
  type GpuSequenceLogpsOptions,
  type GpuSequenceLogpsResult,
  type GpuTokens,
  gpuMetrics,
  type MixedLinearLossResult,
  type MixedLogitsLossResult,
} from "./backends/webgpu/types.ts";
export { createWebGpu, type WebGpuBackend } from "./backends/webgpu/webgpu.ts";

// dpo-kernels/webgpu: the backend on WebGPU.

export { createWebGpu, type WebGpuBackend } from "./webgpu/backend.ts";
export { hasRealGpu, type WebGpuOptions } from "./webgpu/device.ts";

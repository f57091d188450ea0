// AdamW on parameters that live on the GPU: 16 bytes read and 12 written a parameter, nothing waited for.

import type { DeviceFloats } from "../../inputs/floats.ts";
import { type AdamwHyper, factorsOf } from "../../train/adamw.ts";
import { readState } from "../../train/hyper.ts";
import type { Commands } from "./commands.ts";
import { type GpuTensors, readGpuTensors, recordEach, submitStep } from "./optim.ts";
import { eachWgsl } from "./prelude.wgsl.ts";
import type { Gpu } from "./submit.ts";

/** Steps taken, and the running means of gradient and squared gradient: float32 buffers, zero at first. */
export interface GpuAdamwState {
  step: number;
  readonly m: GpuTensors;
  readonly v: GpuTensors;
}

// Twin of adamw_f32: the same roundings but for sqrt and division, which WGSL allows to be off.
const adamwWgsl = /* wgsl */ `
struct Params {
  count: u32, p: u32, g: u32, m: u32, v: u32,
  keep: f32, beta1: f32, rest1: f32, beta2: f32, rest2: f32, rate: f32, eps: f32,
}
@group(0) @binding(0) var<storage, read> params: Params;
@group(0) @binding(1) var<storage, read_write> p: array<f32>;
@group(0) @binding(2) var<storage, read> g: array<f32>;
@group(0) @binding(3) var<storage, read_write> m: array<f32>;
@group(0) @binding(4) var<storage, read_write> v: array<f32>;
${eachWgsl("params.count")}
  let slope = g[params.g + i];
  let mean = params.beta1 * m[params.m + i] + params.rest1 * slope;
  let square = params.beta2 * v[params.v + i] + params.rest2 * slope * slope;
  m[params.m + i] = mean;
  v[params.v + i] = square;
  p[params.p + i] = params.keep * p[params.p + i] - (params.rate * mean) / (sqrt(square) + params.eps);
}`;

/** Records a step on the parameters, gradients and both means of one length. */
export function recordAdamw(
  gpu: Gpu,
  commands: Commands,
  arrays: readonly DeviceFloats[],
  { keep, beta1, beta2, rate, eps }: ReturnType<typeof factorsOf>,
): void {
  recordEach(gpu, commands, adamwWgsl, arrays, [[keep, beta1, 1 - beta1, beta2, 1 - beta2, rate, eps]]);
}

/** One step, in place, on buffers of float32: hyperparameters and their meaning are those of `adamw`. */
export function adamwOnGpu(
  gpu: Gpu,
  params: GpuTensors,
  grads: GpuTensors,
  state: GpuAdamwState,
  hyper: AdamwHyper,
): Promise<void> {
  const { step: taken, m, v } = readState(state, ["step", "m", "v"]);
  const factors = factorsOf(hyper, { step: taken });
  const tensors = readGpuTensors({ params, grads, "state.m": m, "state.v": v }, "grads");
  return submitStep(gpu, state, factors.step, (commands) => {
    for (const arrays of tensors) recordAdamw(gpu, commands, arrays, factors);
  });
}

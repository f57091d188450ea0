// SGD with momentum on parameters that live on the GPU.

import type { DeviceFloats } from "../../inputs/floats.ts";
import { readSgd, type SgdHyper, type SgdNumbers } from "../../train/sgd.ts";
import type { Commands } from "./commands.ts";
import { type GpuTensors, readGpuTensors, recordEach, submitStep } from "./optim.ts";
import { eachWgsl } from "./prelude.wgsl.ts";
import type { Gpu } from "./submit.ts";

/** Steps taken, and with momentum the running sum of gradients: float32 buffers, zero at first. */
export interface GpuSgdState {
  step: number;
  readonly momentumBuffer?: GpuTensors | undefined;
}

// Twin of sgd_f32 and sgd_momentum_f32. No decay is no product: 0·∞ would be NaN.
const sgdWgsl = (momentum: boolean): string => /* wgsl */ `
struct Params {
  count: u32, p: u32, g: u32, ${momentum ? "b: u32," : ""}
  nesterov: u32, lr: f32, decay: f32, momentum: f32, taken: f32,
}
@group(0) @binding(0) var<storage, read> params: Params;
@group(0) @binding(1) var<storage, read_write> p: array<f32>;
@group(0) @binding(2) var<storage, read> g: array<f32>;
${momentum ? "@group(0) @binding(3) var<storage, read_write> b: array<f32>;" : ""}
${eachWgsl("params.count")}
  let before = p[params.p + i];
  var slope = g[params.g + i];
  if (params.decay != 0.0) { slope += params.decay * before; }
  ${
    momentum
      ? `let sum = params.momentum * b[params.b + i] + params.taken * slope;
  b[params.b + i] = sum;
  slope = select(sum, slope + params.momentum * sum, params.nesterov != 0u);`
      : ""
  }
  p[params.p + i] = before - params.lr * slope;
}`;

/** Records a step on the parameters and gradients of one length, and with momentum on its buffer. */
export function recordSgd(
  gpu: Gpu,
  commands: Commands,
  arrays: readonly DeviceFloats[],
  { lr, weightDecay, momentum, taken, nesterov }: SgdNumbers,
): void {
  const numbers = [{ u32: Number(nesterov) }, [lr, weightDecay, momentum, taken]];
  recordEach(gpu, commands, sgdWgsl(momentum !== 0), arrays, numbers);
}

/** One step, in place, on buffers of float32: hyperparameters and their meaning are those of `sgd`. */
export function sgdOnGpu(
  gpu: Gpu,
  params: GpuTensors,
  grads: GpuTensors,
  state: GpuSgdState,
  hyper: SgdHyper,
): Promise<void> {
  const { numbers, step, momentumBuffer } = readSgd(hyper, state);
  const moved = momentumBuffer && { "state.momentumBuffer": momentumBuffer };
  const tensors = readGpuTensors({ params, grads, ...moved }, "grads");
  return submitStep(gpu, state, step, (commands) => {
    for (const arrays of tensors) recordSgd(gpu, commands, arrays, numbers);
  });
}

// Results that stay on the GPU: the buffers of a call, and which part of them is what.

import { ParamError } from "../../errors.ts";
import type { Plan } from "../../plan/plan.ts";
import type { CallOptions } from "../../types.ts";
import { makeBuffer, STORAGE_USAGE } from "./buffers.ts";
import type { Gpu } from "./submit.ts";
import { type GpuPairLossResult, type GpuRange, gpuMetrics } from "./types.ts";

/** Creates the buffers of a result, which start as zeros; they are the caller's to destroy. */
export function createOutputs(gpu: Gpu) {
  const made: GPUBuffer[] = [];
  return {
    make(bytes: number): GpuRange {
      // An empty range cannot be bound.
      const size = Math.max(bytes, 4);
      const buffer = makeBuffer(gpu.device, size, STORAGE_USAGE);
      made.push(buffer);
      return { buffer, offset: 0, size };
    },
    destroy(): void {
      for (const buffer of made) buffer.destroy();
    },
  };
}

export type Outputs = ReturnType<typeof createOutputs>;

/** Runs a call whose results stay on the GPU; if it is refused, the buffers made for it are destroyed. */
export async function withOutputs<T extends object>(
  gpu: Gpu,
  run: (outputs: Outputs) => T | Promise<T>,
): Promise<T & Pick<Outputs, "destroy">> {
  const outputs = createOutputs(gpu);
  try {
    return { ...(await run(outputs)), destroy: outputs.destroy };
  } catch (error) {
    outputs.destroy();
    throw error;
  }
}

/** Reports all of the progress at once, when the device has accepted the commands. */
export function reportLater({ onProgress }: CallOptions, total: number, done: Promise<void>): void {
  if (onProgress) done.then(() => onProgress(total, total)).catch(() => {});
}

/** Refuses options that need numbers on the CPU; `gradients` are those that `out` may name. */
export function checkResident(
  plan: Plan,
  options: { readonly validate?: string | undefined; readonly out?: object | undefined },
  gradients: readonly string[],
): void {
  if (plan.shift) {
    throw new ParamError("unused-option", "rewardShift: expected a number with readback false, got a running mean");
  }
  if (plan.rowNll !== 0) {
    throw new ParamError("unused-option", "nll: expected false with readback false, got true: prompts are read back");
  }
  if (options.validate === "finite") {
    throw new ParamError("unused-option", 'validate: "finite" would read back what readback false leaves on the GPU');
  }
  for (const name in options.out ?? {}) {
    if (gradients.includes(name)) continue;
    throw new ParamError("unused-option", `out.${name}: not used with readback false, whose results are new buffers`);
  }
}

/** The results of the pair stage, in a buffer that holds one after another. */
export function pairRanges(range: GpuRange, pairs: number): Omit<GpuPairLossResult, "metrics" | "done" | "destroy"> {
  const part = (k: number): GpuRange => ({ buffer: range.buffer, offset: 4 * k * pairs, size: 4 * pairs });
  return {
    losses: part(0),
    gradChosen: part(1),
    gradRejected: part(2),
    chosenRewards: part(3),
    rejectedRewards: part(4),
  };
}

/** Bytes of the metrics of a call. */
export const METRICS_BYTES = 4 * gpuMetrics.length;

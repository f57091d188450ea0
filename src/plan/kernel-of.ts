// Which kernel, or shader function, computes a loss.

import { lossTable } from "../losses/index.ts";
import type { LossRecord } from "../losses/kinds.ts";
import type { KernelName } from "./constants.gen.ts";

// Kernels by the function they were printed from: a loss of the user's with a known name is still another loss. Losses that share
// a function share the kernel of the first of them; AOT has that of the margin loss it sorts around.
const kernelsByFormula = new Map<unknown, { name: KernelName; perToken: boolean }>();
for (const { id, formula, perToken, batch } of Object.values(lossTable)) {
  if (batch === undefined && !kernelsByFormula.has(formula))
    kernelsByFormula.set(formula, { name: `pair_${id}` as KernelName, perToken });
}

/** The kernel that computes a loss, if it is built in. */
export function kernelOf({ formula, perToken }: LossRecord): KernelName | undefined {
  const kernel = kernelsByFormula.get(formula);
  return kernel?.perToken === perToken ? kernel.name : undefined;
}

/** The kernel of the same loss with these hyperparameters: some have another for what most calls ask, with the same bits. */
export function variantOf(kernel: KernelName, params: readonly number[]): KernelName {
  // β and label smoothing.
  return kernel === "pair_sigmoid" && Object.is(params[1], 0) ? "pair_sigmoid_unsmoothed" : kernel;
}

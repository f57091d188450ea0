// Clipping of gradients by their norm, as torch.nn.utils.clip_grad_norm_ has it.

import { outOfRange, wrongKind } from "../checks/refusals.ts";
import { type Operation, perform } from "./kernels.ts";
import { readTensors, type Tensor, type Tensors } from "./tensors.ts";

/**
 * Scales gradients in place so that the norm of all of them together is at most `maxNorm`: by min(1, maxNorm/(norm + 1e-6)).
 * Returns the norm before, which is what trainers log.
 *
 * With Infinity it only measures. As in PyTorch a NaN among the gradients makes all of them NaN, and an infinity makes
 * itself NaN and the others 0: look at what is returned. PyTorch's 0 (all gradients 0) and transformers' (off) disagree, so
 * it is refused.
 *
 * Error     the norm is summed in float64, in a fixed order
 * Throws    ShapeError if gradients share memory; ParamError, KindError. Nothing is written then
 * @example  import { clipGradNorm } from "dpo-kernels/train";
 *           const grads = Float32Array.of(3, 4);
 *           const norm = clipGradNorm(grads, 1);
 *           console.log(norm, grads); // 5, [0.5999…, 0.7999…]
 */
export function clipGradNorm(grads: Tensors, maxNorm: number): number {
  readMaxNorm(maxNorm);
  const tensors = readTensors({ grads });
  let sum = 0;
  const addSquares: Operation = {
    reads: 0,
    simd(kernels, [x = 0], n) {
      sum += kernels.square_sum_f32(x, n);
    },
    plain([x]) {
      for (const value of x as Tensor) sum += value * value;
    },
  };
  for (const arrays of tensors) perform(addSquares, arrays);
  const norm = Math.sqrt(sum);
  if (!(norm + 1e-6 <= maxNorm)) for (const arrays of tensors) perform(scaling(maxNorm / (norm + 1e-6)), arrays);
  return norm;
}

/** Throws    KindError, ParamError for what is no number above 0 */
export function readMaxNorm(maxNorm: unknown): number {
  if (typeof maxNorm !== "number") throw wrongKind("maxNorm", "a number", maxNorm);
  if (maxNorm > 0) return maxNorm;
  throw outOfRange("maxNorm", "a number above 0", maxNorm);
}

const scaling = (factor: number): Operation => ({
  reads: -1,
  simd: (kernels, [x = 0], n) => kernels.scale_f32(x, n, factor),
  plain(arrays) {
    const [x] = arrays as [Tensor];
    for (let i = 0; i < x.length; i++) x[i] = factor * (x[i] as number);
  },
});

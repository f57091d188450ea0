// Stochastic gradient descent with momentum, as torch.optim.SGD has it.

import { wrongKind } from "../checks/refusals.ts";
import { ParamError } from "../errors.ts";
import { finite } from "../losses/ranges.ts";
import { notNegative, readHyper, readState, readStep, setStep } from "./hyper.ts";
import { type Allocator, type Operation, perform, zeros } from "./kernels.ts";
import { listOf, readTensors, type Tensor, type Tensors } from "./tensors.ts";

/** What SGD remembers: steps taken, and with momentum a running sum of gradients for each parameter. */
export interface SgdState {
  step: number;
  readonly momentumBuffer?: readonly Tensor[] | undefined;
}

export interface SgdHyper {
  /** Learning rate, ≥ 0. Default 1e-3. */
  lr?: number | undefined;
  /** ≥ 0. Default 0. */
  momentum?: number | undefined;
  /** What momentum leaves out of each gradient but the first. Default 0. */
  dampening?: number | undefined;
  /** Added to the gradient times the parameter, ≥ 0. Default 0. */
  weightDecay?: number | undefined;
  /** Default false; needs momentum and no dampening. */
  nesterov?: boolean | undefined;
}

const ranges = { lr: notNegative(1e-3), momentum: notNegative(0), dampening: finite(0), weightDecay: notNegative(0) };

/**
 * A state for SGD with momentum; without, `{ step: 0 }` is all it needs. With a backend it lies in the backend's memory.
 *
 * Throws    KindError; BackendError if the backend's memory is used up
 * @example  import { sgdState } from "dpo-kernels/train";
 *           const state = sgdState([new Float32Array(1000), new Float32Array(10)]);
 */
export function sgdState(params: Tensors, backend?: Allocator): SgdState {
  const lengths = listOf(params, "params").map(({ length }) => length);
  const [momentumBuffer] = zeros(lengths, 1, backend);
  return { step: 0, momentumBuffer };
}

/**
 * One step of SGD, in place.
 *
 *   d = g + λ·p;  b ← μ·b + (1 − dampening)·d, in the first step b ← d
 *   p ← p − lr·b, with `nesterov` p − lr·(d + μ·b), without momentum p − lr·d
 *
 * Shapes    params, grads: a Float32Array or a list of them, of the same lengths
 * Throws    ShapeError for other lengths and shared memory; ParamError, KindError. Nothing is written then
 * @example  import { sgd, sgdState } from "dpo-kernels/train";
 *           const params = Float32Array.of(0.5, -1);
 *           const state = sgdState(params);
 *           sgd(params, Float32Array.of(0.1, -0.2), state, { lr: 0.1, momentum: 0.9 });
 *           console.log(params, state.step); // [0.49…, -0.98…], 1
 */
export function sgd(params: Tensors, grads: Tensors, state: SgdState, hyper: SgdHyper = {}): void {
  const { numbers, step, momentumBuffer } = readSgd(hyper, state);
  const { lr, weightDecay, momentum, taken, nesterov } = numbers;
  const moved = momentumBuffer && { "state.momentumBuffer": momentumBuffer };
  const tensors = readTensors({ params, grads, ...moved }, "grads");
  const update = moved ? momentumDescent(lr, weightDecay, momentum, taken, nesterov) : descent(lr, weightDecay);
  setStep(state, step);
  for (const arrays of tensors) perform(update, arrays);
}

/** The numbers of a step; `taken` is how much of a gradient momentum takes in. */
export interface SgdNumbers {
  readonly lr: number;
  readonly weightDecay: number;
  readonly momentum: number;
  readonly taken: number;
  readonly nesterov: boolean;
}

/** The numbers of the next step, and the state's buffer where there is momentum. Throws    ParamError, KindError */
export function readSgd<B>(
  hyper: SgdHyper,
  state: { step: number; readonly momentumBuffer?: B | undefined },
): { numbers: SgdNumbers; step: number; momentumBuffer: B | undefined } {
  const { lr, momentum, dampening, weightDecay, rest } = readHyper(hyper, ranges, ["nesterov"]);
  const { nesterov = false } = rest;
  if (typeof nesterov !== "boolean") throw wrongKind("nesterov", "true or false", nesterov);
  if (nesterov && (momentum === 0 || dampening !== 0)) {
    throw new ParamError("out-of-range", "nesterov: expected with momentum above 0 and dampening 0");
  }
  const { step: before, momentumBuffer } = readState(state, ["step", "momentumBuffer"]);
  const step = readStep({ step: before }) + 1;
  const taken = step === 1 ? 1 : 1 - dampening;
  const numbers = { lr, weightDecay, momentum, taken, nesterov };
  if (momentum === 0) return { numbers, step, momentumBuffer: undefined };
  if (momentumBuffer) return { numbers, step, momentumBuffer };
  throw new ParamError("missing-input", "state.momentumBuffer: expected with momentum, got none");
}

const descent = (lr: number, decay: number): Operation => ({
  reads: 1,
  simd: (kernels, [p = 0, g = 0], n) => kernels.sgd_f32(p, g, n, lr, decay),
  plain(arrays) {
    const [p, g] = arrays as [Tensor, Tensor];
    for (let i = 0; i < p.length; i++) p[i] = (p[i] as number) - lr * decayed(p, g, i, decay);
  },
});

const momentumDescent = (lr: number, decay: number, momentum: number, taken: number, nesterov: boolean): Operation => ({
  reads: 1,
  simd(kernels, [p = 0, g = 0, b = 0], n) {
    kernels.sgd_momentum_f32(p, g, b, n, lr, decay, momentum, taken, Number(nesterov));
  },
  plain(arrays) {
    const [p, g, b] = arrays as [Tensor, Tensor, Tensor];
    for (let i = 0; i < p.length; i++) {
      const slope = decayed(p, g, i, decay);
      b[i] = momentum * (b[i] as number) + taken * slope;
      const step = nesterov ? slope + momentum * (b[i] as number) : (b[i] as number);
      p[i] = (p[i] as number) - lr * step;
    }
  },
});

// No decay is no product: 0·∞ would be NaN.
const decayed = (p: Tensor, g: Tensor, i: number, decay: number): number =>
  decay === 0 ? (g[i] as number) : (g[i] as number) + decay * (p[i] as number);

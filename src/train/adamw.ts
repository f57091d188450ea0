// AdamW, as torch.optim.AdamW has it.

import { copyList, isList } from "../checks/lists.ts";
import { wrongKind } from "../checks/refusals.ts";
import { between, readNumber } from "../losses/ranges.ts";
import { notNegative, readHyper, readState, readStep, setStep } from "./hyper.ts";
import { type Allocator, type Operation, perform, zeros } from "./kernels.ts";
import { listOf, readTensors, type Tensor, type Tensors } from "./tensors.ts";

/** What AdamW remembers: steps taken, and for each parameter the running means of gradient and squared gradient. */
export interface AdamwState {
  step: number;
  readonly m: readonly Tensor[];
  readonly v: readonly Tensor[];
}

export interface AdamwHyper {
  /** Learning rate, ≥ 0. Default 1e-3. */
  lr?: number | undefined;
  /** Decay of the two running means, each in [0, 1). Default 0.9, 0.999. */
  betas?: readonly [number, number] | undefined;
  /** ≥ 0. Default 1e-8. */
  eps?: number | undefined;
  /** Decoupled from the gradient, ≥ 0. Default 0.01, as PyTorch's; transformers' is 0. */
  weightDecay?: number | undefined;
}

const numbers = { lr: notNegative(1e-3), eps: notNegative(1e-8), weightDecay: notNegative(0.01) };
const beta = between(0, 1, 0.9, "max");

/**
 * A state for parameters of these lengths, no step taken. With a backend it lies in the backend's memory: parameters and
 * gradients of its `allocate` are then updated without copying. Without, it lies where the kernels use it directly.
 *
 * Throws    KindError; BackendError if the backend's memory is used up
 * @example  import { adamwState } from "dpo-kernels/train";
 *           const state = adamwState(new Float32Array(1000));
 */
export function adamwState(params: Tensors, backend?: Allocator): AdamwState {
  const lengths = listOf(params, "params").map(({ length }) => length);
  const [m = [], v = []] = zeros(lengths, 2, backend);
  return { step: 0, m, v };
}

/**
 * One step of AdamW, in place.
 *
 *   p ← p·(1 − lr·λ);  m ← β1·m + (1 − β1)·g;  v ← β2·v + (1 − β2)·g²
 *   p ← p − lr·m/(1 − β1^t) / (√(v/(1 − β2^t)) + ε)          t = state.step + 1
 *
 * Shapes    params, grads: a Float32Array or a list of them, of the same lengths
 * Error     six float32 roundings of the step, three of p and m, four of v at most (test/optim-adamw.test.ts)
 * Throws    ShapeError for other lengths and shared memory; ParamError, KindError. Nothing is written then
 * @example  import { adamw, adamwState } from "dpo-kernels/train";
 *           const params = Float32Array.of(0.5, -1);
 *           const state = adamwState(params);
 *           adamw(params, Float32Array.of(0.1, -0.2), state, { lr: 1e-2, weightDecay: 0 });
 *           console.log(params, state.step); // [0.49…, -0.99…], 1
 */
export function adamw(params: Tensors, grads: Tensors, state: AdamwState, hyper: AdamwHyper = {}): void {
  const { step: taken, m, v } = readState(state, ["step", "m", "v"]);
  const { keep, beta1, beta2, rate, eps, step } = factorsOf(hyper, { step: taken });
  const tensors = readTensors({ params, grads, "state.m": m, "state.v": v }, "grads");
  const update = updater(keep, beta1, beta2, rate, eps);
  setStep(state, step);
  for (const arrays of tensors) perform(update, arrays);
}

/** The numbers of the next step, in float64: both bias corrections as factors of lr and ε. */
export function factorsOf(hyper: AdamwHyper, state: { readonly step: number }) {
  const { lr, eps, weightDecay, rest } = readHyper(hyper, numbers, ["betas"]);
  const [beta1, beta2] = readBetas(rest["betas"]);
  const step = readStep(state) + 1;
  const root = Math.sqrt(1 - beta2 ** step);
  const rate = (lr * root) / (1 - beta1 ** step);
  return { keep: 1 - lr * weightDecay, beta1, beta2, rate, eps: eps * root, step };
}

function readBetas(betas: unknown = [0.9, 0.999]): [number, number] {
  const given = isList(betas) ? copyList(betas, "betas", 3) : [];
  if (given.length !== 2) throw wrongKind("betas", "two numbers", betas);
  const [first = null, second = null] = given;
  return [readNumber(first, "betas[0]", beta), readNumber(second, "betas[1]", beta)];
}

function updater(keep: number, beta1: number, beta2: number, rate: number, eps: number): Operation {
  const [rest1, rest2] = [1 - beta1, 1 - beta2];
  return {
    reads: 1,
    simd(kernels, [p = 0, g = 0, m = 0, v = 0], n) {
      kernels.adamw_f32(p, g, m, v, n, keep, beta1, rest1, beta2, rest2, rate, eps);
    },
    plain(arrays) {
      const [p, g, m, v] = arrays as [Tensor, Tensor, Tensor, Tensor];
      for (let i = 0; i < p.length; i++) {
        const slope = g[i] as number;
        m[i] = beta1 * (m[i] as number) + rest1 * slope;
        v[i] = beta2 * (v[i] as number) + rest2 * slope * slope;
        p[i] = keep * (p[i] as number) - (rate * (m[i] as number)) / (Math.sqrt(v[i] as number) + eps);
      }
    },
  };
}

// Steps of the package's optimisers.

import type { OptimiserInputs } from "../inputs.ts";
import type { Opened } from "../types.ts";
import { type Arrays, ownArrays } from "./arrays.ts";
import type { Allocating, TrainLibrary } from "./library.ts";

export function openOptimiser(
  train: TrainLibrary,
  inputs: OptimiserInputs,
  arrays: Arrays,
  backend: Allocating,
): Opened {
  const { what, hyper, step } = inputs;
  const { lr, momentum } = hyper;
  // A step writes them, and the inputs are others' too.
  const mine = (array: Float32Array) => {
    const copy = arrays.make("f32", array.length);
    copy.set(array);
    return copy;
  };
  const grads = arrays.put(inputs.grads);
  if (what === "clip") {
    let norm = Number.NaN;
    // It only measures, so that the next run finds the same.
    const run = () => {
      norm = train.clipGradNorm(grads, Infinity);
    };
    return { run, results: () => ({ norm }) };
  }
  const params = mine(inputs.params);
  const within = arrays === ownArrays ? undefined : backend;
  if (what === "sgd") {
    const state = train.sgdState(params, within);
    state.step = step;
    state.momentumBuffer?.[0]?.set(inputs.m);
    return { run: () => train.sgd(params, grads, state, { lr, momentum }), results: () => ({ params }) };
  }
  const state = train.adamwState(params, within);
  state.step = step;
  state.m[0]?.set(inputs.m);
  state.v[0]?.set(inputs.v);
  const { betas, eps, weightDecay } = hyper;
  const options = { lr, betas, eps, weightDecay };
  return { run: () => train.adamw(params, grads, state, options), results: () => ({ params }) };
}

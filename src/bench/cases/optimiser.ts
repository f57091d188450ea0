// Steps of optimisers, and the norm of a gradient.

import type { OptimiserInputs } from "../inputs.ts";
import { fillNormal, generator } from "../random.ts";
import type { Problem } from "../types.ts";
import { arrayOf, worstOf } from "./check.ts";
import { each, type Family, streamed } from "./family.ts";

const hyper = { lr: 1e-3, betas: [0.9, 0.999] as const, eps: 1e-8, weightDecay: 0.01, momentum: 0.9 };
const STEPS = 10;

/** Read and written, in bytes a parameter. */
const bytesOf = { adamw: 28, sgd: 20, clip: 4 } as const;

/** Operations a parameter. */
const flopsOf = { adamw: 13, sgd: 4, clip: 2 } as const;

export const optimiserFamilies: readonly Family[] = each(["adamw", "sgd", "clip"] as const, (what) => ({
  name: `optimiser/${what}`,
  group: "optimiser",
  unit: "parameter",
  shape: "parameters",
  shapes: [[4 << 20]],
  quick: [],
  make: ([n = 0]) => ({
    units: n,
    work: streamed(n, bytesOf[what], flopsOf[what]),
    prepare: () => makeProblem(what, n),
  }),
}));

function makeProblem(what: OptimiserInputs["what"], n: number): Problem {
  const random = generator(4);
  const normal = (deviation: number) => {
    const values = new Float32Array(n);
    fillNormal(values, deviation, random);
    return values;
  };
  const [params, grads, m] = [normal(1), normal(0.1), normal(0.1)];
  const v = normal(0.1).map((x) => x * x + 1e-6);
  const inputs: OptimiserInputs = {
    kind: "optimiser",
    what,
    params,
    grads,
    step: STEPS,
    m,
    v,
    hyper,
  };
  const wanted = solve(inputs);
  return { inputs, check: (results) => check(inputs, n, wanted, results) };
}

/** The parameters after the step; the norm, as the only number. */
function solve(inputs: OptimiserInputs): Float64Array {
  const { what, grads } = inputs;
  if (what === "clip") return Float64Array.of(Math.sqrt(grads.reduce((sum, g) => sum + g * g, 0)));
  const update = what === "adamw" ? adamw(inputs) : sgd(inputs);
  const wanted = new Float64Array(inputs.params.length);
  for (let i = 0; i < wanted.length; i++) wanted[i] = update(i);
  return wanted;
}

function check(
  { what, params }: OptimiserInputs,
  n: number,
  wanted: Float64Array,
  results: Parameters<Problem["check"]>[0],
) {
  if (what === "clip") {
    const [norm = 0] = wanted;
    const worst = worstOf("the norm, relative", 1e-5);
    worst.add("norm", undefined, results["norm"] as number, norm, norm);
    return worst.error;
  }
  const got = arrayOf(results, "params", n);
  const worst = worstOf("a parameter, relative to its size", 1e-6);
  for (let i = 0; i < n; i++) {
    worst.add("params", i, got[i], wanted[i] as number, Math.max(1, Math.abs(params[i] as number)));
  }
  return worst.error;
}

function adamw({ params, grads, m, v, step, hyper: { lr, betas, eps, weightDecay } }: OptimiserInputs) {
  const [beta1, beta2] = betas;
  const [part1, part2] = [1 - beta1 ** (step + 1), 1 - beta2 ** (step + 1)];
  return (i: number) => {
    const g = grads[i] as number;
    const first = beta1 * (m[i] as number) + (1 - beta1) * g;
    const second = beta2 * (v[i] as number) + (1 - beta2) * g * g;
    return (params[i] as number) * (1 - lr * weightDecay) - (lr * first) / part1 / (Math.sqrt(second / part2) + eps);
  };
}

const sgd =
  ({ params, grads, m, hyper: { lr, momentum } }: OptimiserInputs) =>
  (i: number) =>
    (params[i] as number) - lr * (momentum * (m[i] as number) + (grads[i] as number));

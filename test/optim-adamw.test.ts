// AdamW against torch.optim.AdamW's definition, written here once more in float64.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { AdamwHyper } from "../src/train.ts";
import { excessOver, misses } from "./support/compare.ts";
import { awkwardSizes, type Place, places, randomFloats, sizeLists, wideOf } from "./support/optim.ts";

interface Reference {
  p: number;
  m: number;
  v: number;
  /** What float32 may be off by. */
  bounds: { p: number; m: number; v: number };
}

/** torch/optim/adamw.py, _single_tensor_adamw, on one element; the lerp written out, which cancels less. */
function reference(p: number, g: number, m: number, v: number, t: number, hyper: AdamwHyper): Reference {
  const { lr = 1e-3, betas: [beta1, beta2] = [0.9, 0.999], eps = 1e-8, weightDecay = 1e-2 } = hyper;
  const kept = p * (1 - lr * weightDecay);
  const mean = beta1 * m + (1 - beta1) * g;
  const square = v * beta2 + (1 - beta2) * g * g;
  const denominator = Math.sqrt(square) / Math.sqrt(1 - beta2 ** t) + eps;
  const size = lr / (1 - beta1 ** t);
  // Roundings of 2^-24: three of each product's way into the mean, where they may cancel; six of the step.
  const meanError = 3 * 2 ** -24 * (Math.abs(beta1 * m) + Math.abs((1 - beta1) * g));
  const step = (size * mean) / denominator;
  const stepError = (size * meanError) / denominator + 6 * 2 ** -24 * Math.abs(step);
  return {
    p: kept - step,
    m: mean,
    v: square,
    bounds: {
      p: 3 * 2 ** -24 * (Math.abs(kept) + Math.abs(kept - step)) + stepError,
      m: meanError,
      v: 4 * 2 ** -24 * square,
    },
  };
}

const hypers: AdamwHyper[] = [
  {},
  { lr: 0.1, weightDecay: 0 },
  { lr: 1e-5, betas: [0, 0.5], eps: 1e-6, weightDecay: 0.1 },
  { lr: 0, betas: [0.95, 0.9999] },
];

/** Steps from random values; what misses the reference, taken afresh from the numbers before each step. */
function run({ train, put, backend }: Place, sizes: readonly number[], hyper: AdamwHyper, seed: number): string[] {
  const params = sizes.map((n, i) => put(randomFloats(n, seed + i)));
  const state = train.adamwState(params, backend);
  const found: string[] = [];
  for (let t = 1; t <= 3; t++) {
    const grads = sizes.map((n, i) => put(randomFloats(n, seed + 100 * t + i)));
    const [p, g, m, v] = [params, grads, state.m, state.v].map(wideOf);
    train.adamw(params, grads, state, hyper);
    expect(state.step).toBe(t);
    sizes.forEach((n, i) => {
      const at = (lists: Float64Array[] | undefined, j: number) => lists?.[i]?.[j] ?? Number.NaN;
      const want = Array.from({ length: n }, (_, j) => reference(at(p, j), at(g, j), at(m, j), at(v, j), t, hyper));
      for (const [name, got] of Object.entries({ p: params[i], m: state.m[i], v: state.v[i] })) {
        const key = name as "p" | "m" | "v";
        const bound = (j: number) => (want[j] as Reference).bounds[key] + 1e-44;
        const wanted = want.map((element) => element[key]);
        found.push(...misses(`${name}, step ${t}`, got ?? [], wanted, (a, b, j) => excessOver(bound(j), a, b)));
      }
    });
    expect(wideOf(grads)).toEqual(g);
    if (backend) grads.forEach(backend.free);
  }
  if (backend) [...params, ...state.m, ...state.v].forEach(backend.free);
  return found;
}

describe.each(places)("$name", (place) => {
  it.each(hypers)("is PyTorch's AdamW at awkward sizes: %o", (hyper) => {
    for (const n of awkwardSizes) expect(run(place, [n], hyper, n)).toEqual([]);
  });

  it("is so for lists of any sizes", () => {
    fc.assert(
      fc.property(sizeLists, fc.constantFrom(...hypers), fc.nat(1e6), (sizes, hyper, seed) => {
        expect(run(place, sizes, hyper, seed)).toEqual([]);
      }),
      { numRuns: 15, seed: 20261122 },
    );
  });

  it("keeps NaN and infinities to their own elements", () => {
    const { train, put, backend } = place;
    for (let at = 0; at < 7; at++) {
      const params = put(new Float32Array(7).fill(1));
      const state = train.adamwState(params, backend);
      train.adamw(params, put(new Float32Array(7).fill(0.5).fill(Number.NaN, at, at + 1)), state);
      expect([...params].map(Number.isNaN)).toEqual([...params.keys()].map((i) => i === at));
    }
  });

  it("a single array and a list of one are the same", () => {
    const { train, put, backend } = place;
    const [one, other] = [put(randomFloats(9, 1)), put(randomFloats(9, 1))];
    const grads = put(randomFloats(9, 2));
    train.adamw(one, grads, train.adamwState(one, backend));
    train.adamw([other], [grads], train.adamwState([other], backend));
    expect([...one]).toEqual([...other]);
  });
});

describe("bits", () => {
  it("are the same wherever the arrays lie", () => {
    const results = places
      .filter(({ name }) => name !== "plain JavaScript")
      .map(({ train, put, backend }) => {
        const params = put(randomFloats(40001, 3));
        const state = train.adamwState(params, backend);
        for (let t = 0; t < 3; t++) train.adamw(params, put(randomFloats(40001, t)), state);
        return Buffer.from(new Float32Array(params).buffer).toString("base64");
      });
    expect(new Set(results).size).toBe(1);
  });

  it("are the same from a state that was saved and put back", () => {
    const [{ train }] = places as [Place];
    const params = randomFloats(40001, 4);
    const state = train.adamwState(params);
    train.adamw(params, randomFloats(40001, 5), state);
    const copies = { step: 1, m: state.m.map((m) => new Float32Array(m)), v: state.v.map((v) => new Float32Array(v)) };
    const other = params.slice();
    train.adamw(params, randomFloats(40001, 6), state);
    train.adamw(other, randomFloats(40001, 6), copies);
    expect(other).toEqual(params);
  });
});

// SGD against torch.optim.SGD's definition, written here once more in float64.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { SgdHyper } from "../src/train.ts";
import { missesNear } from "./support/compare.ts";
import { awkwardSizes, type Place, places, randomFloats, sizeLists, wideOf } from "./support/optim.ts";

/** torch/optim/sgd.py, _single_tensor_sgd: the new parameter and momentum buffer, and the sum of magnitudes on the way. */
function reference(
  p: number,
  g: number,
  buffer: number | undefined,
  hyper: SgdHyper,
): [p: number, b: number, size: number] {
  const { lr = 1e-3, momentum = 0, dampening = 0, weightDecay = 0, nesterov = false } = hyper;
  let d = weightDecay === 0 ? g : g + weightDecay * p;
  let b = 0;
  let size = Math.abs(g) + Math.abs(weightDecay * p);
  if (momentum !== 0) {
    b = buffer === undefined ? d : momentum * buffer + (1 - dampening) * d;
    size += Math.abs(momentum * (buffer ?? 0));
    d = nesterov ? d + momentum * b : b;
  }
  return [p - lr * d, b, size * (1 + Math.abs(dampening))];
}

const hypers: SgdHyper[] = [
  {},
  { lr: 0.1, weightDecay: 0.01 },
  { lr: 0.1, momentum: 0.9 },
  { lr: 0.05, momentum: 0.9, dampening: 0.1, weightDecay: 0.01 },
  { lr: 0.05, momentum: 0.8, nesterov: true },
  { lr: 0.05, momentum: 0.8, nesterov: true, weightDecay: 0.1 },
];

function run({ train, put, backend }: Place, sizes: readonly number[], hyper: SgdHyper, seed: number): string[] {
  const params = sizes.map((n, i) => put(randomFloats(n, seed + i)));
  const state = hyper.momentum ? train.sgdState(params, backend) : { step: 0 };
  const buffers = "momentumBuffer" in state ? (state.momentumBuffer ?? []) : [];
  const found: string[] = [];
  for (let t = 1; t <= 3; t++) {
    const grads = sizes.map((n, i) => put(randomFloats(n, seed + 100 * t + i)));
    const [p, g, b] = [params, grads, buffers].map(wideOf);
    train.sgd(params, grads, state, hyper);
    expect(state.step).toBe(t);
    sizes.forEach((n, i) => {
      const at = (lists: Float64Array[] | undefined, j: number) => lists?.[i]?.[j] ?? Number.NaN;
      for (let j = 0; j < n; j++) {
        const [wantP, wantB, size] = reference(at(p, j), at(g, j), t === 1 ? undefined : at(b, j), hyper);
        const { lr = 1e-3 } = hyper;
        found.push(...missesNear("p", [params[i]?.[j] ?? NaN], [wantP], 2 ** -23, 2 ** -21 * lr * size + 1e-44));
        if (hyper.momentum)
          found.push(...missesNear("b", [buffers[i]?.[j] ?? NaN], [wantB], 0, 2 ** -22 * size + 1e-44));
      }
    });
    if (backend) grads.forEach(backend.free);
  }
  if (backend) [...params, ...buffers].forEach(backend.free);
  return found;
}

describe.each(places)("$name", (place) => {
  it.each(hypers)("is PyTorch's SGD at awkward sizes: %o", (hyper) => {
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

  it.each(hypers)("keeps NaN to its own element: %o", (hyper) => {
    const { train, put, backend } = place;
    for (let at = 0; at < 7; at++) {
      const params = put(new Float32Array(7).fill(1));
      train.sgd(params, put(new Float32Array(7).fill(Number.NaN, at, at + 1)), train.sgdState(params, backend), hyper);
      expect([...params].map(Number.isNaN)).toEqual([...params.keys()].map((i) => i === at));
    }
  });

  it("an infinite parameter stays one without weight decay", () => {
    const { train, put } = place;
    const params = put(Float32Array.of(Infinity, 1, 1, 1, Infinity));
    train.sgd(params, put(new Float32Array(5).fill(1)), { step: 0 }, { lr: 0.5 });
    expect([...params]).toEqual([Infinity, 0.5, 0.5, 0.5, Infinity]);
  });
});

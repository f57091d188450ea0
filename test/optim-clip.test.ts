// Clipping against torch.nn.utils.clip_grad_norm_'s definition.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { missesNear } from "./support/compare.ts";
import { awkwardSizes, places, randomFloats, sizeLists, wideOf } from "./support/optim.ts";

const sizes = fc.oneof(sizeLists, fc.constant(awkwardSizes));

describe.each(places)("$name", ({ train: { clipGradNorm }, put, backend }) => {
  it("scales all gradients by min(1, max / (norm + 1e-6)) and returns the norm", () => {
    fc.assert(
      fc.property(sizes, fc.nat(1e6), fc.constantFrom(0.01, 0.5, 2, 1e9), (list, seed, factor) => {
        const grads = list.map((n, i) => put(randomFloats(n, seed + i)));
        const before = wideOf(grads);
        const norm = Math.sqrt(before.reduce((sum, array) => array.reduce((s, x) => s + x * x, sum), 0));
        const maxNorm = factor * (norm + 1e-6);
        expect(Math.abs(clipGradNorm(grads, maxNorm) - norm)).toBeLessThanOrEqual(1e-12 * norm);
        const scale = Math.min(1, maxNorm / (norm + 1e-6));
        const wanted = before.map((array) => array.map((x) => scale * x));
        const found = grads.flatMap((array, i) => missesNear("grads", array, wanted[i] ?? [], 2 ** -23));
        expect(found).toEqual([]);
        if (backend) grads.forEach(backend.free);
      }),
      { numRuns: 20, seed: 20261122 },
    );
  });

  it("does not overflow where squares would", () => {
    const grads = put(new Float32Array(1003).fill(3e38));
    expect(clipGradNorm(grads, 1)).toBeCloseTo(Math.sqrt(1003) * Math.fround(3e38), -34);
    expect(clipGradNorm(grads, 1)).toBeCloseTo(1, 5);
  });

  it("measures with Infinity, and changes nothing", () => {
    const grads = put(Float32Array.of(3, -4, Infinity));
    expect(clipGradNorm(grads.subarray(0, 2), Infinity)).toBe(5);
    expect(clipGradNorm(grads, Infinity)).toBe(Infinity);
    expect([...grads]).toEqual([3, -4, Infinity]);
  });

  it("spreads what is not finite as PyTorch does", () => {
    for (let at = 0; at < 7; at++) {
      const nan = put(new Float32Array(7).fill(1).fill(Number.NaN, at, at + 1));
      expect(clipGradNorm(nan, 1)).toBeNaN();
      expect([...nan]).toEqual(Array(7).fill(Number.NaN));
      const infinite = put(new Float32Array(7).fill(1).fill(-Infinity, at, at + 1));
      expect(clipGradNorm(infinite, 1)).toBe(Infinity);
      expect([...infinite].map(Number.isNaN)).toEqual([...infinite.keys()].map((i) => i === at));
    }
  });
});

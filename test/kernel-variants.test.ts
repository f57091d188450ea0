// Kernels for what most calls ask give the bits of the kernels that ask all: a call may not move a number by naming a default.

import { inflateSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { hasRelaxedSimd } from "../src/kernels/features.ts";
import { deflated as plain } from "../src/kernels/kernels.gen.ts";
import { deflated as relaxed } from "../src/kernels/kernels-relaxed.gen.ts";
import { instantiate } from "../src/kernels/load.ts";
import { kernelConstants } from "../src/plan/constants.gen.ts";
import { variantOf } from "../src/plan/kernel-of.ts";

// Margins from saturated to none, both zeros, and what is no number.
const margins = [0, -0, 1e-30, -1e-30, 0.3, -0.3, 17, -17, 900, -900, 3e38, -3e38, Infinity, -Infinity, Number.NaN];
const sizes = [1, 3, 4, 7, 8, 9, 15, 16, 255, 256, 257, 1027];
const GUARD = 12345;

describe.each([
  ["plain", plain, true],
  ["relaxed", relaxed, hasRelaxedSimd()],
] as const)("the %s module", (_, deflated, runs) => {
  it.skipIf(!runs).each([0.1, 1, 1e-4])("gives the same bits without label smoothing, β = %d", (beta) => {
    const memory = new WebAssembly.Memory({ initial: 2, maximum: 2 });
    const kernels = instantiate(new WebAssembly.Module(inflateSync(Buffer.from(deflated, "base64"))), memory);
    const heap = new Float32Array(memory.buffer);
    const [constants, inputs, outputs] = [65536, 65536 + 256, 65536 + 4 * 4352];

    const run = (name: "pair_sigmoid" | "pair_sigmoid_unsmoothed", n: number): Uint32Array => {
      heap.set(kernelConstants[name](0.25, beta, 0), constants / 4);
      const [pc, pr, rc, rr] = [0, 1, 2, 3].map((k) => inputs + 4352 * k) as [number, number, number, number];
      for (let i = 0; i < n; i++) {
        heap.set([margins[i % margins.length] as number], pc / 4 + i);
        heap.set([i % 7 === 6 ? -1 - i / 50 : 0], pr / 4 + i);
      }
      const [loss, gc, gr] = [0, 1, 2].map((k) => outputs + 4352 * k) as [number, number, number];
      heap.fill(GUARD, outputs / 4, outputs / 4 + 3 * 1088);
      kernels[`${name}_f32`](pc, pr, rc, rr, 0, 0, 0, loss, gc, gr, n, constants);
      return new Uint32Array(memory.buffer.slice(outputs, outputs + 3 * 4352));
    };
    for (const n of sizes) expect(run("pair_sigmoid_unsmoothed", n), `${n} pairs`).toEqual(run("pair_sigmoid", n));
  });
});

it("is chosen where label smoothing is 0 alone", () => {
  expect(variantOf("pair_sigmoid", [0.1, 0])).toBe("pair_sigmoid_unsmoothed");
  expect(variantOf("pair_sigmoid", [0.1, 1e-9])).toBe("pair_sigmoid");
  // −0 takes another sign into the gradients of saturated pairs.
  expect(variantOf("pair_sigmoid", [0.1, -0])).toBe("pair_sigmoid");
  expect(variantOf("pair_robust", [0.1, 0])).toBe("pair_robust");
});

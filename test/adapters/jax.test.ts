// The loss of a jax-js model: gradients of its parameters against jax-js's own, and that no array is left behind.

import * as jax from "@jax-js/jax";
import { beforeAll, describe, expect, it, vi } from "vitest";
import type { AdapterOptions } from "../../src/adapters/batch.ts";
import { jaxLogitsLoss } from "../../src/adapters/jax.ts";
import { createJs, ParamError, ShapeError } from "../../src/index.ts";
import { onEachLocal } from "../support/backends.ts";
import { missesNear } from "../support/compare.ts";
import { numbers, packed, padded, referenceLogps, rows, selection, vocab } from "./batch.ts";

const { numpy: np } = jax;
type Array = jax.Array;

const reference = { logps: referenceLogps };
const batch = { tokens: padded, reference };
const beta = 0.3;
const dim = 5;

const hiddenValues = numbers(rows.padded * dim, 1, 3);
const weightValues = numbers(dim * vocab, 1, 4);
const biasValues = numbers(vocab, 1, 5);

/** Arrays live as long as the test. */
const arrays = () => ({
  hidden: np.array(hiddenValues, { shape: [rows.padded, dim] }),
  weight: np.array(weightValues, { shape: [dim, vocab] }),
  bias: np.array(biasValues, { shape: [vocab] }),
});

/** The sigmoid loss in jax-js's own operations. */
function formula(logits: Array): Array {
  const logps = jax.nn.logSoftmax(logits);
  const sums = selection().map((ones) => np.sum(np.array(ones, { shape: [rows.padded, vocab] }).mul(logps.ref)));
  logps.dispose();
  const ratios = sums.map((sum, r) => sum.sub(referenceLogps[r] ?? 0));
  const { pairs } = padded;
  const losses = ratios
    .slice(0, pairs)
    .map((chosen, i) => jax.nn.softplus((ratios[i + pairs] as Array).sub(chosen).mul(beta)));
  return np.mean(np.stack(losses));
}

const floats = async (array: Array): Promise<Float32Array> => (await array.data()) as Float32Array;

beforeAll(() => jax.init());

describe("examples/adapters/jax.ts", () => {
  beforeAll(() => void vi.spyOn(console, "log").mockImplementation(() => {}));

  it("trains: the loss falls from ln 2", async () => {
    const { losses } = await import("../../examples/adapters/jax.ts");
    expect(losses[0]).toBeCloseTo(Math.LN2, 6);
    expect(losses.every((loss, i) => i === 0 || loss < (losses[i - 1] ?? 0))).toBe(true);
    expect(losses.at(-1)).toBeLessThan(0.25);
  }, 60_000);
});

onEachLocal((backend) => {
  it("value and gradients are those of jax-js's autodiff of the formula", async () => {
    const { hidden, weight, bias } = arrays();
    const model = (w: Array, b: Array): Array => np.dot(hidden.ref, w).add(b);
    const got = await jaxLogitsLoss(jax, backend, model, batch, { beta })(weight.ref, bias.ref);
    const [value, want] = jax.valueAndGrad((w: Array, b: Array) => formula(model(w, b)), { argnums: [0, 1] })(
      weight.ref,
      bias.ref,
    );
    expect(missesNear("loss", [got.loss], await floats(value), 1e-6)).toEqual([]);
    for (const i of [0, 1] as const) {
      expect(missesNear(`gradient ${i}`, await floats(got.grads[i]), await floats(want[i]), 1e-5, 1e-7)).toEqual([]);
    }
  });

  it("the gradient of the logits themselves is that of logitsLoss", async () => {
    const values = numbers(rows.padded * vocab, 3, 7);
    const want = backend.logitsLoss({ ...batch, vocab, logits: values }, { beta });
    for (const shape of [
      [rows.padded, vocab],
      [2 * padded.pairs, padded.length, vocab],
    ]) {
      const got = await jaxLogitsLoss(jax, backend, (x: Array) => x, batch, { beta })(np.array(values, { shape }));
      expect([got.loss, got.metrics]).toEqual([want.loss, want.metrics]);
      expect(got.grads[0].shape).toEqual(shape);
      expect(await floats(got.grads[0])).toEqual(want.gradLogits);
    }
    const logits = values.slice(0, rows.packed * vocab);
    const packedWant = backend.logitsLoss({ tokens: packed, reference, vocab, logits }, { beta });
    const lossAndGrad = jaxLogitsLoss(jax, backend, (x: Array) => x, { tokens: packed, reference }, { beta });
    const got = await lossAndGrad(np.array(logits, { shape: [rows.packed, vocab] }));
    expect(await floats(got.grads[0])).toEqual(packedWant.gradLogits);
  });

  it("float16 stays float16", async () => {
    const values = Float16Array.from(numbers(rows.padded * vocab, 3, 7));
    const want = backend.logitsLoss({ ...batch, vocab, logits: values }, { beta });
    const lossAndGrad = jaxLogitsLoss(jax, backend, (x: Array) => x, batch, { beta });
    const { grads } = await lossAndGrad(np.array(values, { shape: [rows.padded, vocab] }));
    expect(grads[0].dtype).toBe("float16");
    expect(await grads[0].data()).toEqual(want.gradLogits);
  });
});

describe("jaxLogitsLoss", () => {
  const backend = createJs();

  it("takes jitted models and trees of parameters", async () => {
    const { hidden, weight, bias } = arrays();
    const model = (p: { weight: Array; bias: Array }): Array => np.dot(hidden.ref, p.weight).add(p.bias);
    const jitted = jax.jit(model);
    const params = () => ({ weight: weight.ref, bias: bias.ref });
    const got = await jaxLogitsLoss(jax, backend, jitted, batch)(params());
    const want = await jaxLogitsLoss(jax, backend, model, batch)(params());
    expect(missesNear("loss", [got.loss], [want.loss], 1e-6)).toEqual([]);
    for (const name of ["weight", "bias"] as const) {
      const [g, w] = [await floats(got.grads[0][name]), await floats(want.grads[0][name])];
      expect(missesNear(name, g, w, 1e-5, 1e-7)).toEqual([]);
    }
    jitted.dispose();
  });

  it("consumes its arguments and keeps no other array", async () => {
    const { hidden, weight, bias } = arrays();
    const model = (w: Array, b: Array): Array => np.dot(hidden.ref, w).add(b);
    // The model's output is to be freed, and what the backward pass holds.
    const made: { output: Array; held: { mock: { calls: unknown[] } } }[] = [];
    const vjp = (...args: Parameters<typeof jax.vjp>) => {
      const result = jax.vjp(...args);
      made.push({ output: result[0] as unknown as Array, held: vi.spyOn(result[1], "dispose") });
      return result;
    };
    const watched = { ...jax, vjp: vjp as typeof jax.vjp };
    const good = jaxLogitsLoss(watched, backend, model, batch);
    for (const gradient of (await good(weight.ref, bias.ref)).grads) gradient.dispose();
    const bad = jaxLogitsLoss(watched, backend, model, { tokens: packed, reference });
    await expect(bad(weight.ref, bias.ref)).rejects.toThrow(ShapeError);
    expect([hidden, weight, bias].map((array) => array.refCount)).toEqual([1, 1, 1]);
    expect(made.map(({ output, held }) => [output.refCount, held.mock.calls.length])).toEqual([
      [0, 1],
      [0, 1],
    ]);
  });

  it.each([[{ inPlace: false, gradType: "f32" }], [{ inPlace: true }], [{ out: {} }]])("refuses %o", (options) => {
    const call = () => jaxLogitsLoss(jax, backend, (x: Array) => x, batch, options as AdapterOptions);
    expect(call).toThrow(ParamError);
  });

  it("jax-js has no custom gradients: when it does, the loss can go inside grad, and docs/adapters.md must say so", () => {
    expect(Object.keys(jax).filter((name) => /custom/i.test(name))).toEqual([]);
  });
});

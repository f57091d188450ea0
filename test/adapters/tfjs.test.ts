// The loss as an operation of TensorFlow.js: its value, its gradient against tf's own, and that no tensor is left behind.

import "@tensorflow/tfjs-backend-cpu";
import * as tf from "@tensorflow/tfjs-core";
import "@tensorflow/tfjs-layers";
import { beforeAll, describe, expect, it, vi } from "vitest";
import { type TfLogitsLossOptions, tfLogitsLoss } from "../../src/adapters/tfjs.ts";
import { createJs, KindError, type LogitsLossResult, ParamError, ShapeError } from "../../src/index.ts";
import { onEachLocal } from "../support/backends.ts";
import { missesNear } from "../support/compare.ts";
import { numbers, packed, padded, referenceLogps, rows, selection, vocab } from "./batch.ts";

const reference = { logps: referenceLogps };
const batch = { tokens: padded, reference };
const shape: [number, number, number] = [2 * padded.pairs, padded.length, vocab];
const values = numbers(rows.padded * vocab, 3, 7);
const beta = 0.3;

// tf calls a kernel a leak that leaves more data behind than it returns.
beforeAll(() => tf.env().set("IS_TEST", true));

const read = (tensor: tf.Tensor): Float32Array => tensor.dataSync<"float32">();

/** The sigmoid loss in tf's own operations. */
function formula(logits: tf.Tensor): tf.Scalar {
  const logps = tf.logSoftmax(tf.reshape(logits, [rows.padded, vocab]));
  const sums = selection().map((ones) => tf.sum(tf.mul(logps, tf.tensor2d(ones, [rows.padded, vocab]))));
  const ratios = sums.map((sum, r) => tf.sub(sum, referenceLogps[r] ?? 0));
  const { pairs } = padded;
  const losses = ratios
    .slice(0, pairs)
    .map((chosen, i) => tf.softplus(tf.mul(tf.sub(ratios[i + pairs] as tf.Tensor, chosen), beta)));
  return tf.mean(tf.stack(losses));
}

describe("examples/adapters/tfjs.ts", () => {
  beforeAll(() => void vi.spyOn(console, "log").mockImplementation(() => {}));

  it("trains: the loss falls from ln 2, and tensors stay as many", async () => {
    const { losses, tensors } = await import("../../examples/adapters/tfjs.ts");
    expect(losses[0]).toBeCloseTo(Math.LN2, 6);
    expect(losses.every((loss, i) => i === 0 || loss < (losses[i - 1] ?? 0))).toBe(true);
    expect(losses.at(-1)).toBeLessThan(0.1);
    expect(new Set(tensors).size).toBe(1);
  }, 60_000);
});

onEachLocal((backend) => {
  const lossOf = (options: TfLogitsLossOptions = { beta }) => tfLogitsLoss(tf, backend, batch, options);

  it("value and gradient are those of logitsLoss", () => {
    const want = backend.logitsLoss({ ...batch, vocab, logits: values }, { beta });
    tf.tidy(() => {
      const { value, grad } = tf.valueAndGrad(lossOf())(tf.tensor3d(values, shape));
      expect(read(value)[0]).toBe(Math.fround(want.loss));
      expect(grad.shape).toEqual(shape);
      expect(read(grad)).toEqual(want.gradLogits);
    });
  });

  it("value and gradient are those of tf's autodiff of the formula", () => {
    tf.tidy(() => {
      const logits = tf.tensor3d(values, shape);
      const [got, want] = [tf.valueAndGrad(lossOf())(logits), tf.valueAndGrad(formula)(logits)];
      expect(missesNear("loss", read(got.value), read(want.value), 1e-6)).toEqual([]);
      expect(missesNear("gradient", read(got.grad), read(want.grad), 1e-5, 1e-8)).toEqual([]);
    });
  });

  it("what stands before and after it in a function is differentiated too", () => {
    tf.tidy(() => {
      const hidden = tf.tensor2d(numbers(rows.padded * 5, 1, 3), [rows.padded, 5]);
      const [weight, bias] = [tf.tensor2d(numbers(5 * vocab, 1, 4), [5, vocab]), tf.tensor1d(numbers(vocab, 1, 5))];
      const through = (loss: (logits: tf.Tensor) => tf.Scalar) =>
        tf.grads((w, b) => tf.square(tf.mul(loss(tf.add(tf.matMul(hidden, w as tf.Tensor2D), b)), 3)))([weight, bias]);
      const [got, want] = [through(lossOf()), through(formula)];
      for (const i of [0, 1]) {
        const [g, w] = [got[i], want[i]].map((tensor) => read(tensor as tf.Tensor)) as [Float32Array, Float32Array];
        expect(missesNear(`gradient ${i}`, g, w, 1e-5, 1e-7)).toEqual([]);
      }
    });
  });

  it("takes rows without a batch dimension, and packed tokens", () => {
    const gradient = (tokens: typeof padded | typeof packed, dims: number[]): Float32Array =>
      tf.tidy(() => {
        const size = dims.reduce((product, n) => product * n, 1);
        const logits = tf.tensor(values.slice(0, size), dims);
        const grad = tf.grad(tfLogitsLoss(tf, backend, { tokens, reference }, { beta }))(logits);
        expect(grad.shape).toEqual(dims);
        return read(grad);
      });
    expect(gradient(padded, [rows.padded, vocab])).toEqual(gradient(padded, shape));
    const logits = values.slice(0, rows.packed * vocab);
    const want = backend.logitsLoss({ tokens: packed, reference, vocab, logits }, { beta });
    expect(gradient(packed, [rows.packed, vocab])).toEqual(want.gradLogits);
    expect(gradient(packed, [1, rows.packed, vocab])).toEqual(want.gradLogits);
  });

  it("leaves no tensor behind in 1,000 steps of an optimizer", () => {
    const hidden = tf.tensor2d(numbers(rows.padded * 5, 1, 3), [rows.padded, 5]);
    const weight = tf.variable(tf.tensor2d(numbers(5 * vocab, 1, 4), [5, vocab]));
    const optimizer = tf.train.adam(0.01);
    let last = Number.NaN;
    const step = (i: number): void => {
      const loss = lossOf({ beta, onResult: (result) => (last = result.loss) });
      // Every other step with an upstream gradient that is not 1.
      optimizer.minimize(() => tf.mul<tf.Scalar>(loss(tf.matMul(hidden, weight as tf.Tensor2D)), 1 + (i % 2)));
    };
    step(0);
    step(1);
    const first = last;
    const { numTensors, numBytes, numDataBuffers } = tf.memory();
    for (let i = 0; i < 1000; i++) step(i);
    expect(tf.memory()).toMatchObject({ numTensors, numBytes, numDataBuffers });
    expect(last).toBeLessThan(first / 4);
    tf.dispose([hidden, weight]);
    optimizer.dispose();
  }, 60_000);
});

describe("tensors", () => {
  const backend = createJs();
  const count = (): number => tf.memory().numTensors;

  it("outside of gradients it makes one, the loss, which tidy takes", () => {
    const logits = tf.tensor3d(values, shape);
    const before = count();
    const loss = tfLogitsLoss(tf, backend, batch)(logits);
    expect([loss.shape, loss.dtype, count()]).toEqual([[], "float32", before + 1]);
    loss.dispose();
    tf.tidy(() => void tfLogitsLoss(tf, backend, batch)(logits));
    expect(count()).toBe(before);
    const kept = tf.tidy(() => tfLogitsLoss(tf, backend, batch)(logits));
    expect(count()).toBe(before + 1);
    tf.dispose([kept, logits]);
  });

  it("a gradient is the caller's; it outlives the tape and later calls", () => {
    const logits = tf.tensor3d(values, shape);
    const before = count();
    const gradient = tf.grad(tfLogitsLoss(tf, backend, batch))(logits);
    const copy = read(gradient).slice();
    const other = tf.grad(tfLogitsLoss(tf, backend, batch, { beta: 0.7 }))(logits);
    expect(count()).toBe(before + 2);
    expect(read(gradient)).toEqual(copy);
    expect(read(other)).not.toEqual(copy);
    tf.dispose([gradient, other, logits]);
  });

  it("the logits stay as they are", () => {
    const logits = tf.tensor3d(values.slice(), shape);
    tf.dispose(tf.grad(tfLogitsLoss(tf, backend, batch))(logits));
    expect(read(logits)).toEqual(values);
    logits.dispose();
  });

  it("a refused call leaves none", () => {
    const logits = tf.variable(tf.tensor3d(values, shape));
    const before = count();
    const bad = { tokens: { ...padded, inputIds: padded.inputIds.map(() => vocab) }, reference };
    expect(() => tf.variableGrads(() => tfLogitsLoss(tf, backend, bad)(logits))).toThrow(ParamError);
    expect(() => tfLogitsLoss(tf, backend, bad)(logits)).toThrow(/^tokens\.inputIds\[3\]: expected an id in 0\.\.18/);
    expect(count()).toBe(before);
    logits.dispose();
  });
});

describe("tfLogitsLoss", () => {
  const backend = createJs();

  it("hands the whole result to onResult", () => {
    const results: LogitsLossResult[] = [];
    const loss = tfLogitsLoss(tf, backend, batch, { onResult: (result) => results.push(result) });
    tf.tidy(() => void loss(tf.tensor3d(values, shape)));
    expect(results).toEqual([backend.logitsLoss({ ...batch, vocab, logits: values })]);
  });

  it("refuses other shapes and types when it is called", () => {
    tf.tidy(() => {
      const loss = tfLogitsLoss(tf, backend, batch);
      expect(() => loss(tf.zeros([rows.padded + 1, vocab]))).toThrow(ShapeError);
      expect(() => loss(tf.zeros([rows.padded + 1, vocab]))).toThrow(
        /^logits: expected \[4, 6, V\] or \[24, V\] \(padded tokens\), got \[25, 19\]$/,
      );
      expect(() => loss(tf.zeros(shape, "int32"))).toThrow(KindError);
      expect(() => loss(tf.zeros(shape, "int32"))).toThrow(/^logits: expected a tensor of float32, got int32$/);
    });
  });

  it.each([[{ inPlace: true }], [{ gradType: "f32" }], [{ out: {} }]])("refuses %o", (options) => {
    const call = () => tfLogitsLoss(tf, backend, batch, options as TfLogitsLossOptions);
    expect(call).toThrow(ParamError);
    expect(call).toThrow(/^inPlace, gradType, out: the adapter itself says where the gradient goes$/);
  });

  it("accepts these options where they ask for nothing", () => {
    const options = { inPlace: false, gradType: "same", out: undefined } as TfLogitsLossOptions;
    tf.tidy(() => void tfLogitsLoss(tf, backend, batch, options)(tf.zeros(shape)));
  });
});

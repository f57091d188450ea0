// Log-probs and entropies as operations of tfjs and jax-js: a loss of them, against each framework's own autodiff of the whole
// formula and against finite differences; that nothing is left behind.

import * as jax from "@jax-js/jax";
import "@tensorflow/tfjs-backend-cpu";
import * as tf from "@tensorflow/tfjs-core";
import "@tensorflow/tfjs-layers";
import { beforeAll, describe, expect, it } from "vitest";
import type { LogpsAdapterOptions } from "../../src/adapters/batch.ts";
import { type JaxLogps, jaxLogpsLoss } from "../../src/adapters/jax.ts";
import { tfSequenceLogps } from "../../src/adapters/tfjs.ts";
import { createJs, KindError, ParamError, ShapeError } from "../../src/index.ts";
import type { SequenceTokens } from "../../src/types.ts";
import { onEachLocal } from "../support/backends.ts";
import { magnitude, missesNear } from "../support/compare.ts";
import { numbers, packed, padded, rows, selection, vocab } from "./batch.ts";

const { numpy: np } = jax;
const options = { entropy: true, logitScale: 1.3, logitSoftcap: 4, temperature: 0.7 } as const;
const { pairs, ...columns } = padded;
const asRows = { ...columns, rows: 2 * pairs };
const [N, R, T] = [rows.padded, 2 * pairs, padded.length];
const values = numbers(N * vocab, 3, 7);
/** [N] weights of tokens; those where nothing counts must not matter. */
const weights = numbers(N, 1, 11);
/** [N, V] 1 at the logit of each token that counts. */
const ones = selection().reduce((sum, row) => sum.map((x, i) => x + (row[i] as number)));
const counts = Float32Array.from({ length: N }, (_, t) => Math.max(...ones.subarray(t * vocab, (t + 1) * vocab)));

/** Mean of squares of the sums + Σ w·p − 0.3·Σ H², in JavaScript. */
function lossAt(logits: Float32Array): number {
  const { logps, tokenLogps, entropy = [] } = createJs().sequenceLogps({ tokens: asRows, vocab, logits }, options);
  const sum = (n: number, f: (i: number) => number) =>
    Array.from({ length: n }, (_, i) => f(i)).reduce((a, b) => a + b);
  const squares = sum(R, (r) => (logps[r] as number) ** 2) / R;
  const tokens = sum(N, (t) => (weights[t] as number) * Math.exp(tokenLogps[t] as number));
  return squares + tokens - 0.3 * sum(N, (t) => (entropy[t] as number) ** 2);
}

const places = Array.from({ length: 60 }, (_, k) => 7 * k + 2);
const step = 2 ** -9;
const moved = (i: number, by: number) => lossAt(values.map((x, j) => (j === i ? x + by : x)));
const differences = places.map((i) => (moved(i, step) - moved(i, -step)) / (2 * step));

const inTf = {
  loss({ logps, tokenLogps, entropy }: { logps: tf.Tensor; tokenLogps: tf.Tensor; entropy: tf.Tensor }): tf.Scalar {
    const tokens = tf.sum(tf.mul(tf.exp(tf.reshape(tokenLogps, [N])), tf.tensor1d(weights)));
    return tf.add(tf.mean(tf.square(logps)), tf.sub(tokens, tf.mul(tf.sum(tf.square(entropy)), 0.3)));
  },
  formula(logits: tf.Tensor): tf.Scalar {
    const { logitScale: scale, logitSoftcap: cap, temperature } = options;
    const capped = tf.div(tf.mul(tf.tanh(tf.mul(tf.reshape(logits, [N, vocab]), scale / cap)), cap), temperature);
    const logp = tf.logSoftmax(capped);
    const tokenLogps = tf.sum(tf.mul(logp, tf.tensor2d(ones, [N, vocab])), 1);
    const entropy = tf.mul(tf.neg(tf.sum(tf.mul(tf.exp(logp), logp), 1)), tf.tensor1d(counts));
    return inTf.loss({ logps: tf.sum(tf.reshape(tokenLogps, [R, T]), 1), tokenLogps, entropy });
  },
};

const inJax = {
  loss({ logps, tokenLogps, entropy }: JaxLogps<jax.Array>): jax.Array {
    const tokens = np.sum(np.exp(tokenLogps.reshape([N])).mul(np.array(weights, { shape: [N] })));
    return np
      .mean(logps.ref.mul(logps))
      .add(tokens)
      .sub(np.sum(entropy.ref.mul(entropy)).mul(0.3));
  },
  formula(logits: jax.Array): jax.Array {
    const { logitScale: scale, logitSoftcap: cap, temperature } = options;
    const logp = jax.nn.logSoftmax(np.tanh(logits.reshape([N, vocab]).mul(scale / cap)).mul(cap / temperature));
    const tokenLogps = np.sum(logp.ref.mul(np.array(ones, { shape: [N, vocab] })), 1);
    const entropy = np
      .sum(np.exp(logp.ref).mul(logp), 1)
      .mul(np.array(counts, { shape: [N] }))
      .mul(-1);
    return inJax.loss({ logps: np.sum(tokenLogps.ref.reshape([R, T]), 1), tokenLogps, entropy });
  },
};

const read = (tensor: tf.Tensor): Float32Array => tensor.dataSync<"float32">();
const floats = async (array: jax.Array): Promise<Float32Array> => (await array.data()) as Float32Array;

beforeAll(async () => {
  // tf calls a kernel a leak that leaves more data behind than it returns.
  tf.env().set("IS_TEST", true);
  await jax.init();
});

it("the loss feels every part of the result", () => {
  expect(magnitude(differences)).toBeGreaterThan(1);
  expect(counts.filter((one) => one === 0).length).toBeGreaterThan(0);
});

onEachLocal((backend) => {
  const want = backend.sequenceLogps({ tokens: padded, vocab, logits: values }, options);

  it("tfjs: values are those of sequenceLogps, in the shape of the tokens", () => {
    tf.tidy(() => {
      const forward = tfSequenceLogps(tf, backend, { tokens: padded }, options);
      const got = forward(tf.tensor(values, [R, T, vocab]));
      expect([got.logps.shape, got.tokenLogps.shape, got.entropy.shape]).toEqual([[R], [R, T], [R, T]]);
      expect(read(got.logps)).toEqual(Float32Array.from(want.logps));
      expect(read(got.tokenLogps)).toEqual(want.tokenLogps);
      expect(read(got.entropy)).toEqual(want.entropy);
    });
  });

  it("tfjs: gradients are those of tf's own autodiff, and finite differences", () => {
    tf.tidy(() => {
      const forward = tfSequenceLogps(tf, backend, { tokens: asRows }, options);
      const logits = tf.tensor(values, [R, T, vocab]);
      const got = tf.valueAndGrad((x: tf.Tensor) => inTf.loss(forward(x)))(logits);
      const own = tf.valueAndGrad(inTf.formula)(logits);
      expect(missesNear("loss", read(got.value), read(own.value), 1e-5)).toEqual([]);
      expect(missesNear("gradient", read(got.grad), read(own.grad), 2e-5, 2e-6)).toEqual([]);
      const at = places.map((i) => read(got.grad)[i] as number);
      expect(missesNear("differences", at, differences, 2e-3, 2e-3)).toEqual([]);
    });
  });

  it("tfjs: what stands before it is differentiated too, and one result may be used alone", () => {
    tf.tidy(() => {
      const hidden = tf.tensor2d(numbers(N * 5, 1, 3), [N, 5]);
      const weight = tf.tensor2d(numbers(5 * vocab, 1, 4), [5, vocab]);
      const forward = tfSequenceLogps(tf, backend, { tokens: padded });
      const grad = tf.grad((w: tf.Tensor) => tf.sum(forward(tf.matMul(hidden, w as tf.Tensor2D)).logps))(weight);
      const sums = tf.tensor2d(ones, [N, vocab]);
      const own = tf.grad((w: tf.Tensor) => tf.sum(tf.mul(tf.logSoftmax(tf.matMul(hidden, w as tf.Tensor2D)), sums)))(
        weight,
      );
      expect(missesNear("gradient", read(grad), read(own), 1e-5, 1e-6)).toEqual([]);
    });
  });

  it("jax-js: value and gradients are those of its own autodiff, and finite differences", async () => {
    const made = () => np.array(values, { shape: [R, T, vocab] });
    const lossAndGrad = jaxLogpsLoss(jax, backend, (x: jax.Array) => x.mul(1), { tokens: asRows }, inJax.loss, options);
    const got = await lossAndGrad(made());
    expect(got.tokenLogps).toEqual(want.tokenLogps);
    const [value, own] = jax.valueAndGrad(inJax.formula)(made());
    const gradient = await floats(got.grads[0]);
    expect(missesNear("loss", [got.loss], await floats(value), 1e-5)).toEqual([]);
    expect(missesNear("gradient", gradient, await floats(own), 2e-5, 2e-6)).toEqual([]);
    const at = places.map((i) => gradient[i] as number);
    expect(missesNear("differences", at, differences, 2e-3, 2e-3)).toEqual([]);
  });
});

describe("layouts", () => {
  const backend = createJs();
  const loss = (r: { tokenLogps: tf.Tensor }): tf.Scalar => tf.sum(tf.square(r.tokenLogps));
  const gradient = (tokens: SequenceTokens, dims: number[]): Float32Array =>
    tf.tidy(() => {
      const forward = tfSequenceLogps(tf, backend, { tokens });
      const logits = tf.tensor(
        values.slice(
          0,
          dims.reduce((product, n) => product * n),
        ),
        dims,
      );
      expect(forward(logits).tokenLogps.shape).toEqual(dims.slice(0, -1));
      return read(tf.grad((x: tf.Tensor) => loss(forward(x)))(logits));
    });

  it("pairs and rows, with a batch dimension and without, padded and packed", () => {
    const own = gradient(padded, [R, T, vocab]);
    for (const tokens of [padded, asRows]) expect(gradient(tokens, [N, vocab])).toEqual(own);
    const { pairs: _, ...rest } = packed;
    for (const tokens of [packed, { ...rest, rows: R }]) {
      expect(gradient(tokens, [rows.packed, vocab])).toEqual(gradient(packed, [1, rows.packed, vocab]));
    }
  });

  it("logits of the last positions give results for all of them", async () => {
    const tokens = { ...asRows, logitsFrom: 1 };
    const last = Float32Array.from({ length: R * (T - 1) * vocab }, (_, i) => {
      const row = Math.floor(i / ((T - 1) * vocab));
      return values[i + (row + 1) * vocab] as number;
    });
    // Where nothing counts at the first position, the same as without.
    const one = { ...tokens, completionMask: padded.completionMask.map((x, i) => (i % T < 2 ? 0 : x)) };
    const { logitsFrom: _, ...all } = one;
    const whole = gradient(all, [R, T, vocab]);
    const forward = tfSequenceLogps(tf, backend, { tokens: one });
    tf.tidy(() => {
      const logits = tf.tensor(last, [R, T - 1, vocab]);
      expect(forward(logits).tokenLogps.shape).toEqual([R, T]);
      expect(forward(tf.reshape(logits, [R * (T - 1), vocab])).tokenLogps.shape).toEqual([R * T]);
      const grad = read(tf.grad((x: tf.Tensor) => loss(forward(x)))(logits));
      expect(grad).toEqual(whole.filter((_, i) => i % (T * vocab) >= vocab));
    });
    const model = (x: jax.Array) => x.mul(1);
    const lossAndGrad = jaxLogpsLoss(jax, backend, model, { tokens: one }, inJax.loss, options);
    const { grads } = await lossAndGrad(np.array(last, { shape: [R, T - 1, vocab] }));
    expect(grads[0].shape).toEqual([R, T - 1, vocab]);
  });

  it("others are refused when the operation is called", async () => {
    const forward = tfSequenceLogps(tf, backend, { tokens: asRows });
    const message = /^logits: expected \[4, 6, V\] or \[24, V\] \(padded tokens\), got \[6, 4, 19\]$/;
    tf.tidy(() => {
      expect(() => forward(tf.zeros([T, R, vocab]))).toThrow(ShapeError);
      expect(() => forward(tf.zeros([T, R, vocab]))).toThrow(message);
      expect(() => forward(tf.zeros([R, T, vocab], "int32"))).toThrow(KindError);
    });
    const lossAndGrad = jaxLogpsLoss(jax, backend, (x: jax.Array) => x, { tokens: asRows }, inJax.loss, options);
    await expect(lossAndGrad(np.zeros([T, R, vocab]))).rejects.toThrow(message);
  });
});

describe("nothing is left behind", () => {
  const backend = createJs();

  it("tfjs: by steps of an optimizer, or by a refused call", () => {
    const logits = tf.variable(tf.tensor(values, [R, T, vocab]));
    const forward = tfSequenceLogps(tf, backend, { tokens: asRows }, options);
    const optimizer = tf.train.sgd(1e-3);
    const train = () => optimizer.minimize(() => inTf.loss(forward(logits)));
    train();
    const before = tf.memory();
    for (let i = 0; i < 50; i++) train();
    const bad = tfSequenceLogps(tf, backend, { tokens: packed });
    expect(() => tf.variableGrads(() => tf.sum(bad(logits).logps))).toThrow(ShapeError);
    expect(() => bad(logits)).toThrow(ShapeError);
    const { numTensors, numBytes, numDataBuffers } = before;
    expect(tf.memory()).toMatchObject({ numTensors, numBytes, numDataBuffers });
    const { logps, tokenLogps, entropy } = forward(logits);
    expect(tf.memory().numTensors).toBe(numTensors + 3);
    tf.dispose([logps, tokenLogps, entropy, logits]);
    optimizer.dispose();
  });

  it("jax-js: whatever the loss uses, and if it fails", async () => {
    const made: jax.Array[] = [];
    const numpy = {
      ...np,
      array: (...args: Parameters<typeof np.array>) => {
        const array = np.array(...args);
        made.push(array);
        return array;
      },
    };
    const watched = { ...jax, numpy: numpy as typeof np };
    const losses: ((given: JaxLogps<jax.Array>) => jax.Array)[] = [
      inJax.loss,
      ({ logps }) => np.sum(logps),
      ({ tokenLogps }) => tokenLogps,
      () => {
        throw new Error("no loss");
      },
    ];
    const outcomes = losses.map(async (loss) => {
      const model = (x: jax.Array) => x.mul(1);
      const call = jaxLogpsLoss(watched, backend, model, { tokens: padded }, loss, options);
      const { grads } = await call(np.array(values, { shape: [R, T, vocab] }));
      grads[0].dispose();
    });
    const settled = await Promise.allSettled(outcomes);
    expect(settled.map(({ status }) => status)).toEqual(["fulfilled", "fulfilled", "rejected", "rejected"]);
    expect(settled.slice(2)).toMatchObject([
      { reason: expect.objectContaining({ message: "loss: expected a scalar, got [4, 6]" }) },
      { reason: expect.objectContaining({ message: "no loss" }) },
    ]);
    expect(made.map((array) => array.refCount)).toEqual(made.map(() => 0));
  });
});

describe("options", () => {
  const backend = createJs();

  it.each<[object, typeof ParamError | typeof KindError]>([
    [{ out: {} }, ParamError],
    [{ gradScale: 2 }, ParamError],
    [{ beta: 0.1 }, ParamError],
    [{ entropy: 1 }, KindError],
  ])("%o is refused", (given, error) => {
    const call = () =>
      tfSequenceLogps(tf, backend, { tokens: padded }, given as LogpsAdapterOptions)(tf.zeros([N, vocab]));
    expect(() => tf.tidy(call)).toThrow(error);
  });

  it("a batch, a backend and a loss that are none are refused at once", () => {
    const given = { tokens: padded, reference: {} } as { tokens: typeof padded };
    expect(() => tfSequenceLogps(tf, backend, given)).toThrow(/^batch\.reference: /);
    const none = {} as typeof backend;
    expect(() => tfSequenceLogps(tf, none, { tokens: padded })).toThrow(
      /^backend: expected a backend with sequenceLogps,/,
    );
    const loss = "mean" as unknown as typeof inJax.loss;
    expect(() => jaxLogpsLoss(jax, backend, (x: jax.Array) => x, { tokens: padded }, loss)).toThrow(
      /^loss: expected a function, got a string$/,
    );
  });

  it("ldAlpha weighs the sums of pairs, forward and back", () => {
    tf.tidy(() => {
      const logits = tf.tensor(values, [N, vocab]);
      const forward = tfSequenceLogps(tf, backend, { tokens: padded }, { ldAlpha: 0.25 });
      const batch = { tokens: padded, vocab, logits: values };
      const { logps } = backend.sequenceLogps(batch, { ldAlpha: 0.25 });
      expect(read(forward(logits).logps)).toEqual(Float32Array.from(logps));
      const slopes = new Float32Array(R).fill(1);
      const { gradLogits } = backend.sequenceLogpsGrad(batch, { logps: slopes }, { ldAlpha: 0.25 });
      expect(read(tf.grad((x: tf.Tensor) => tf.sum(forward(x).logps))(logits))).toEqual(gradLogits);
    });
  });
});

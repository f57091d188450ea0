// TensorFlow.js on its WebAssembly backend: the SIMD module, one thread. In closed form, since autograd takes twice as long; products
// have transposes of their own, since its products of transposed matrices are slow. Timed are tensors made of the caller's arrays, the
// operators, and `dataSync` of the results; the optimiser's tensors stay where they are, as a model's would.
// Tried and slower: `softplus` for pairs; `logSoftmax` and a gather (15 %), a product with one-hot rows (twice as long); its gather has
// no gradient. Faster, but -Infinity below -87: the logarithm of a softmax.

import type { LinearInputs, LogitsInputs, OptimiserInputs, PairsInputs, RowsInputs } from "../inputs.ts";
import type { Opened } from "../types.ts";
import { candidate, type Forms, loadAll, type Peer, type Results, repeatable, skipped } from "./peer.ts";

interface Tensor {
  dataSync(): Float32Array;
}

type Value = Tensor | number;

/** What is used of @tensorflow/tfjs-core, whose own types do not agree with those of a page's WebGPU. */
interface Tf {
  env(): { set(flag: string, value: boolean): void; getAsync(flag: string): Promise<unknown> };
  setBackend(name: string): Promise<boolean>;
  tidy<R>(run: () => R): R;
  dispose(tensors: Readonly<Record<string, Tensor>> | readonly Tensor[]): void;
  tensor1d(values: Float32Array | Int32Array, type?: "int32"): Tensor;
  tensor2d(values: Float32Array | Int32Array, shape: [number, number], type?: "int32"): Tensor;
  add(a: Value, b: Value): Tensor;
  sub(a: Value, b: Value): Tensor;
  mul(a: Value, b: Value): Tensor;
  div(a: Value, b: Value): Tensor;
  neg(x: Tensor): Tensor;
  abs(x: Tensor): Tensor;
  relu(x: Tensor): Tensor;
  log(x: Tensor): Tensor;
  sqrt(x: Tensor): Tensor;
  square(x: Tensor): Tensor;
  sigmoid(x: Tensor): Tensor;
  softmax(x: Tensor): Tensor;
  mean(x: Tensor): Tensor;
  logSumExp(x: Tensor, axis: number): Tensor;
  reshape(x: Tensor, shape: number[]): Tensor;
  gather(x: Tensor, ids: Tensor): Tensor;
  tensorScatterUpdate(x: Tensor, places: Tensor, values: Tensor): Tensor;
  transpose(x: Tensor): Tensor;
  matMul(a: Tensor, b: Tensor): Tensor;
}

interface Backend {
  readonly version_wasm: string;
  setWasmPaths(folder: string): void;
}

const names = ["@tensorflow/tfjs-core", "@tensorflow/tfjs-backend-wasm"];

export const tfjsWasm: Peer = async (libraries) => {
  const name = "tfjs-wasm";
  try {
    const [tf, backend] = (await loadAll(libraries, names)) as [Tf, Backend];
    backend.setWasmPaths(folderOf(libraries.resolve(names[1] as string)));
    // Otherwise it takes all threads where it can: in isolated pages.
    tf.env().set("WASM_HAS_MULTITHREAD_SUPPORT", false);
    if (!(await tf.setBackend("wasm"))) throw new Error("its backend did not start");
    if (!(await tf.env().getAsync("WASM_HAS_SIMD_SUPPORT"))) throw new Error("it finds no SIMD here");
    return candidate({ name, arrays: "fresh", version: backend.version_wasm }, formsOf(tf));
  } catch (cause) {
    return skipped(name, cause);
  }
};

/** It reads files where there is a file system, and fetches elsewhere. */
function folderOf(address: string): string {
  const folder = new URL(".", address);
  return folder.protocol === "file:" ? decodeURIComponent(folder.pathname) : folder.href;
}

function formsOf(tf: Tf): Forms {
  /** Runs the operators, and takes the results out. */
  const answer = (make: () => Readonly<Record<string, Tensor>>): Results => {
    const tensors = tf.tidy(make);
    const results = Object.entries(tensors).map(([name, tensor]) => {
      const data = tensor.dataSync();
      return [name, name === "loss" ? (data[0] as number) : data] as const;
    });
    tf.dispose(tensors);
    return Object.fromEntries(results);
  };

  const pairs = (inputs: PairsInputs): Opened | undefined => {
    const { lossType, beta } = inputs;
    const { policyChosen, policyRejected, referenceChosen, referenceRejected } = inputs.pairs;
    if (lossType !== "sigmoid") return undefined;
    return repeatable(() =>
      answer(() => {
        const chosen = tf.sub(tf.tensor1d(policyChosen), tf.tensor1d(referenceChosen));
        const rejected = tf.sub(tf.tensor1d(policyRejected), tf.tensor1d(referenceRejected));
        const x = tf.mul(tf.sub(rejected, chosen), beta);
        const losses = tf.sub(tf.relu(x), tf.log(tf.sigmoid(tf.abs(x))));
        const gradChosen = tf.mul(tf.sigmoid(x), -beta / policyChosen.length);
        return { loss: tf.mean(losses), losses, gradChosen, gradRejected: tf.neg(gradChosen) };
      }),
    );
  };

  const rows = ({ beta, rows }: RowsInputs): Opened => {
    const { policy, reference, desirable, klPolicy, klReference } = rows;
    const signed = Float32Array.from(desirable, (is) => (is ? -beta : beta));
    return repeatable(() =>
      answer(() => {
        const sign = tf.tensor1d(signed);
        const kl = tf.relu(tf.mean(tf.sub(tf.tensor1d(klPolicy), tf.tensor1d(klReference))));
        const ratio = tf.sub(tf.tensor1d(policy), tf.tensor1d(reference));
        const losses = tf.sigmoid(tf.mul(tf.sub(ratio, kl), sign));
        const slope = tf.mul(losses, tf.sub(1, losses));
        return { loss: tf.mean(losses), losses, grad: tf.div(tf.mul(slope, sign), policy.length) };
      }),
    );
  };

  /** Log-probs of logits, and the gradient with respect to them. */
  const heads = ({ rows, vocab, ids, g }: LogitsInputs | LinearInputs) => {
    const flat = ids.map((id, r) => r * vocab + id);
    const places = Int32Array.from({ length: 2 * rows }, (_, i) => (i % 2 ? (ids[(i - 1) / 2] as number) : i / 2));
    const minusG = g.map((value) => -value);
    const atLabels = (x: Tensor) => tf.gather(tf.reshape(x, [-1]), tf.tensor1d(flat, "int32"));
    return {
      logps: (x: Tensor) => tf.sub(atLabels(x), tf.logSumExp(x, 1)),
      gradient: (x: Tensor) => {
        const scaled = tf.mul(tf.softmax(x), tf.tensor2d(minusG, [rows, 1]));
        const atLabel = tf.add(atLabels(scaled), tf.tensor1d(g));
        return tf.tensorScatterUpdate(scaled, tf.tensor2d(places, [rows, 2], "int32"), atLabel);
      },
    };
  };

  const logits = (inputs: LogitsInputs): Opened | undefined => {
    const { pass, rows, vocab, logits } = inputs;
    if (!(logits instanceof Float32Array)) return undefined;
    const { logps, gradient } = heads(inputs);
    return repeatable(() =>
      answer(() => {
        const x = tf.tensor2d(logits, [rows, vocab]);
        return { logps: logps(x), ...(pass === "both" && { gradient: gradient(x) }) };
      }),
    );
  };

  const linear = (inputs: LinearInputs): Opened => {
    const { pass, rows, width, vocab, hidden, weight } = inputs;
    const { logps, gradient } = heads(inputs);
    return repeatable(() =>
      answer(() => {
        const [h, w] = [tf.tensor2d(hidden, [rows, width]), tf.tensor2d(weight, [vocab, width])];
        const x = tf.matMul(h, tf.transpose(w));
        if (pass === "forward") return { logps: logps(x) };
        const d = gradient(x);
        return { logps: logps(x), gradHidden: tf.matMul(d, w), gradWeight: tf.matMul(tf.transpose(d), h) };
      }),
    );
  };

  const optimiser = (inputs: OptimiserInputs): Opened | undefined => {
    if (inputs.what !== "adamw") return undefined;
    const { lr, betas, eps, weightDecay } = inputs.hyper;
    const [beta1, beta2] = betas;
    let t = inputs.step;
    const grads = tf.tensor1d(inputs.grads);
    let state = [tf.tensor1d(inputs.params), tf.tensor1d(inputs.m), tf.tensor1d(inputs.v)] as [Tensor, Tensor, Tensor];
    return {
      run() {
        t++;
        const next = tf.tidy(() => {
          const [params, m, v] = state;
          const mean = tf.add(tf.mul(m, beta1), tf.mul(grads, 1 - beta1));
          const square = tf.add(tf.mul(v, beta2), tf.mul(tf.square(grads), 1 - beta2));
          const root = tf.add(tf.div(tf.sqrt(square), Math.sqrt(1 - beta2 ** t)), eps);
          const step = tf.mul(tf.div(mean, root), lr / (1 - beta1 ** t));
          return [tf.sub(tf.mul(params, 1 - lr * weightDecay), step), mean, square] as [Tensor, Tensor, Tensor];
        });
        tf.dispose(state);
        state = next;
      },
      results: () => ({ params: state[0].dataSync() }),
      close: () => tf.dispose([grads, ...state]),
    };
  };

  return { pairs, rows, logits, linear, optimiser };
}

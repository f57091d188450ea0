// TensorFlow.js: `logitsLoss`, and the log-probs under it, as operations that tf differentiates through. `tf` is an argument: nothing
// is imported.

import { DpoError, KindError } from "../errors.ts";
import { kindOf } from "../messages.ts";
import type { Backend, FloatArray, LogitsLossResult, SequenceLogpsResult } from "../types.ts";
import {
  type AdapterBatch,
  type AdapterOptions,
  callOf,
  type LogpsAdapterOptions,
  readAdapterBatch,
  readAdapterOptions,
  readDims,
  readLogpsAdapterOptions,
  readSequencesAdapterBatch,
  type SequencesAdapterBatch,
  tokenDims,
  typeText,
  vocabOf,
} from "./batch.ts";

/** What is read of a `tf.Tensor`. */
export interface TfTensor {
  readonly shape: number[];
  readonly dtype: string;
  dataSync(): ArrayLike<number>;
}

/** What is used of `tf`: @tensorflow/tfjs, tfjs-core or tfjs-node. T is its tensor, S its scalar. */
export interface Tf<T extends TfTensor, S extends TfTensor> {
  scalar(value: number): S;
  tensor(values: Float32Array, shape: number[]): T;
  customGrad(f: (logits: unknown) => NoInfer<{ value: S; gradFunc: (dy: S) => T }>): NoInfer<(logits: T) => S>;
  mul(a: NoInfer<T>, b: NoInfer<S>): NoInfer<T>;
  tidy(f: () => NoInfer<T>): NoInfer<T>;
}

export interface TfLogitsLossOptions extends AdapterOptions {
  /** Called with what `logitsLoss` returned, metrics among it, each time the loss is computed. */
  onResult?: ((result: LogitsLossResult) => void) | undefined;
}

/**
 * The loss of a batch as an operation on its logits, for `tf.grads`, `tf.variableGrads` and `optimizer.minimize`.
 *
 * The gradient is computed with the loss, from one reading of the logits, and kept as a plain array until tf asks for it,
 * so nothing is left to dispose of. There are no second derivatives: tf sees the gradient as a constant.
 *
 * Shapes    logits: float32, [2B, T, V] or [2B·T, V] for padded tokens, [N, V] or [1, N, V] for packed ones
 * Returns   the loss, a scalar tensor
 * Throws    KindError, ShapeError, ParamError: as `logitsLoss`, when the operation is called
 * @example  const loss = tfLogitsLoss(tf, wasm, { tokens, reference: { logps } }, { beta: 0.1 });
 *           optimizer.minimize(() => loss(model(inputs)));
 */
export function tfLogitsLoss<T extends TfTensor, S extends TfTensor>(
  tf: Tf<T, S>,
  backend: Pick<Backend, "logitsLoss">,
  given: AdapterBatch,
  all: TfLogitsLossOptions = {},
): (logits: T) => S {
  const { onResult, ...options } = readAdapterOptions(all, ["onResult"]) as TfLogitsLossOptions;
  if (onResult !== undefined && typeof onResult !== "function") {
    throw new KindError(`onResult: expected a function, got ${kindOf(onResult)}`);
  }
  const batch = readAdapterBatch(given);
  const logitsLoss = callOf(backend, "logitsLoss");
  return tf.customGrad((input) => {
    const { shape, logits } = readTensor(input as T);
    const vocab = vocabOf(shape, batch.tokens);
    // Never in place: on tf's CPU backend this is the tensor itself.
    const result = logitsLoss({ ...batch, vocab, logits }, options);
    onResult?.(result);
    const gradFunc = (dy: S): T =>
      tf.tidy(() => {
        const gradient = tf.tensor(result.gradLogits as Float32Array, shape);
        // Nearly always 1, which saves a pass over the gradient and a copy of it.
        return dy.dataSync()[0] === 1 ? gradient : tf.mul(gradient, dy);
      });
    return { value: tf.scalar(result.loss), gradFunc };
  });
}

/** What is used of `tf` by `tfSequenceLogps`. */
export interface TfSlices<T extends TfTensor> {
  tensor(values: Float32Array, shape: number[]): T;
  customGrad(f: (logits: unknown) => NoInfer<{ value: T; gradFunc: (dy: T) => T }>): NoInfer<(logits: T) => T>;
  slice(x: NoInfer<T>, begin: number[], size: number[]): NoInfer<T>;
  reshape(x: NoInfer<T>, shape: number[]): NoInfer<T>;
  tidy(f: () => NoInfer<{ [name: string]: T }>): NoInfer<{ [name: string]: T }>;
}

/** Tensors of float32. A type, not an interface, so that `tf.tidy` takes a function that returns it. */
export type TfLogps<T> = {
  /** [2B] or [rows]: sums over the tokens that count. */
  logps: T;
  /** The shape of the logits without V, of the tokens from their first position on; 0 where nothing counts. */
  tokenLogps: T;
};

/**
 * The log-probs of a batch's tokens as an operation on its logits, with `entropy: true` their entropies too: any loss of them in
 * tf's own operations is differentiated down to the logits, and further.
 *
 * The way back reads the logits again, which are kept as a plain array. There are no second derivatives.
 *
 * Shapes    logits: float32, [2B, T, V] or [2B·T, V], of rows [rows, T, V] or [rows·T, V]; packed tokens: [N, V] or [1, N, V]
 * Throws    KindError, ShapeError, ParamError: as `sequenceLogps`, when the operation is called
 * @example  const forward = tfSequenceLogps(tf, wasm, { tokens }, { entropy: true });
 *           optimizer.minimize(() => {
 *             const { tokenLogps, entropy } = forward(model(inputs));
 *             return tf.neg(tf.sum(tf.add(tokenLogps, tf.mul(entropy, 0.01))));
 *           });
 */
export function tfSequenceLogps<T extends TfTensor, O extends LogpsAdapterOptions>(
  tf: TfSlices<T>,
  backend: Pick<Backend, "sequenceLogps" | "sequenceLogpsGrad">,
  given: SequencesAdapterBatch,
  all?: O,
): (logits: T) => TfLogps<T> & (O extends { entropy: true } ? { entropy: T } : unknown) {
  const { forward, backward } = readLogpsAdapterOptions(all ?? {});
  const { tokens } = readSequencesAdapterBatch(given);
  const sequenceLogps = callOf(backend, "sequenceLogps");
  const sequenceLogpsGrad = callOf(backend, "sequenceLogpsGrad");
  // An operation of tf has one output: in it the results stand one after another.
  const run = (logits: T) => {
    let parts: Part[] = [];
    const flat = tf.customGrad((input) => {
      const { shape, logits } = readTensor(input as T);
      const batch = { tokens, vocab: vocabOf(shape, tokens), logits };
      const result = sequenceLogps(batch, forward);
      parts = partsOf(result, shape);
      const value = new Float32Array(parts.reduce((sum, { size }) => sum + size, 0));
      for (const { name, from } of parts) value.set(result[name] as FloatArray, from);
      const gradFunc = (dy: T): T => {
        const slopes = dy.dataSync() as Float32Array;
        const gradients = parts.map(({ name, from, size }) => [name, slopes.subarray(from, from + size)]);
        const { gradLogits } = sequenceLogpsGrad(batch, Object.fromEntries(gradients), backward);
        return tf.tensor(gradLogits as Float32Array, shape);
      };
      return { value: tf.tensor(value, [value.length]), gradFunc };
    })(logits);
    const tensors = parts.map(({ name, from, size, shape }) => [
      name,
      tf.reshape(tf.slice(flat, [from], [size]), shape),
    ]);
    return Object.fromEntries(tensors);
  };
  return (logits) => tf.tidy(() => run(logits)) as ReturnType<ReturnType<typeof tfSequenceLogps<T, O>>>;
}

/** Where a result lies in the operation's output. */
interface Part {
  name: "logps" | "tokenLogps" | "entropy";
  from: number;
  size: number;
  shape: number[];
}

function partsOf({ logps, tokenLogps, entropy }: SequenceLogpsResult, logits: number[]): Part[] {
  const [rows, size] = [logps.length, tokenLogps.length];
  const tokens = tokenDims(logits, size);
  const parts: Part[] = [
    { name: "logps", from: 0, size: rows, shape: [rows] },
    { name: "tokenLogps", from: rows, size, shape: tokens },
  ];
  return entropy ? [...parts, { name: "entropy", from: rows + size, size, shape: tokens }] : parts;
}

// Every field once. A tensor that was disposed of throws.
function readTensor(tensor: TfTensor): { shape: number[]; logits: Float32Array } {
  try {
    const { shape, dtype } = tensor;
    if (dtype !== "float32") throw new KindError(`logits: expected a tensor of float32, got ${typeText(dtype)}`);
    return { shape: readDims(shape, "logits"), logits: tensor.dataSync() as Float32Array };
  } catch (cause) {
    if (cause instanceof DpoError) throw cause;
    throw new KindError("logits: expected a tensor that can be read, got one that throws", { cause });
  }
}

// TensorFlow.js: `logitsLoss` as an operation that tf differentiates through. `tf` is an argument: nothing is imported.

import { DpoError, KindError } from "../errors.ts";
import { kindOf } from "../messages.ts";
import type { Backend, LogitsLossResult } from "../types.ts";
import {
  type AdapterBatch,
  type AdapterOptions,
  logitsLossOf,
  readAdapterBatch,
  readAdapterOptions,
  readDims,
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
  const logitsLoss = logitsLossOf(backend);
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

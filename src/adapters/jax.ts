// jax-js: value and gradient of a model through `logitsLoss`. `jax` is an argument: nothing is imported.

import type { Backend, Floats, LogitsLossResult } from "../types.ts";
import {
  type AdapterBatch,
  type AdapterOptions,
  logitsLossOf,
  readAdapterBatch,
  readAdapterOptions,
  vocabOf,
} from "./batch.ts";

/** What is read of a `numpy.Array`. */
export interface JaxArray {
  readonly shape: number[];
  data(): Promise<unknown>;
}

/** What is used of `@jax-js/jax`. A is its array. */
export interface Jax<A extends JaxArray> {
  numpy: { array(values: Float32Array<ArrayBuffer>, options: { shape: number[] }): A };
  vjp(
    model: (...params: unknown[]) => NoInfer<A>,
    params: never,
  ): readonly [output: NoInfer<A>, backward: ((cotangent: NoInfer<A>) => unknown) & { dispose(): void }];
}

/** Parameters as gradients: an array for every array or number. */
export type JaxGrads<P, A> = P extends A | number | boolean ? A : { [K in keyof P]: JaxGrads<P[K], A> };

/**
 * The loss of a model that makes logits, and its gradients with respect to the model's parameters: what `valueAndGrad` is
 * to a loss that jax-js can trace. jax-js has no custom gradients, so the loss cannot stand inside `grad` or `jit`; the
 * model is differentiated by `vjp`, with the gradient of the logits as cotangent. The model itself may be jitted.
 *
 * Shapes    logits: float32 or float16, [2B, T, V] or [2B·T, V] for padded tokens, [N, V] or [1, N, V] for packed ones
 * Returns   a function of the model's parameters, which it consumes (pass `w.ref` to keep w), to what `logitsLoss` returns
 *           and `grads`, one for each parameter
 * Throws    KindError, ShapeError, ParamError: as `logitsLoss`, when the function is called
 * @example  const lossAndGrad = jaxLogitsLoss(jax, wasm, model, { tokens, reference: { logps } }, { beta: 0.1 });
 *           const { loss, grads } = await lossAndGrad(weight.ref);
 */
export function jaxLogitsLoss<A extends JaxArray, P extends unknown[]>(
  jax: Jax<A>,
  backend: Pick<Backend, "logitsLoss">,
  model: (...params: P) => A,
  given: AdapterBatch,
  all: AdapterOptions = {},
): (...params: P) => Promise<LogitsLossResult & { grads: JaxGrads<P, A> }> {
  const options = readAdapterOptions(all);
  const batch = readAdapterBatch(given);
  const logitsLoss = logitsLossOf(backend);
  return async (...params) => {
    const [output, backward] = jax.vjp(model as (...params: unknown[]) => A, params as never);
    try {
      const { shape } = output;
      // A copy that nobody else holds, so its gradient may replace it.
      const logits = (await output.data()) as Floats;
      const vocab = vocabOf(shape, batch.tokens);
      const result = await logitsLoss({ ...batch, vocab, logits }, { ...options, inPlace: true });
      const cotangent = jax.numpy.array(result.gradLogits as Float32Array<ArrayBuffer>, { shape });
      return { ...result, grads: backward(cotangent) as JaxGrads<P, A> };
    } finally {
      backward.dispose();
    }
  };
}

// jax-js: value and gradient of a model through `logitsLoss`, or through a loss of log-probs written in jax-js. `jax` is an argument:
// nothing is imported.

import { KindError, ShapeError } from "../errors.ts";
import { kindOf } from "../messages.ts";
import type { Backend, FloatArray, Floats, LogitsLossResult, LogpsGradients, SequenceLogpsResult } from "../types.ts";
import {
  type AdapterBatch,
  type AdapterOptions,
  callOf,
  type LogpsAdapterOptions,
  readAdapterBatch,
  readAdapterOptions,
  readLogpsAdapterOptions,
  readSequencesAdapterBatch,
  type SequencesAdapterBatch,
  tokenDims,
  vocabOf,
} from "./batch.ts";

/** What is read of a `numpy.Array`. */
export interface JaxArray {
  readonly shape: number[];
  readonly refCount: number;
  data(): Promise<unknown>;
  dispose(): void;
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
  const logitsLoss = callOf(backend, "logitsLoss");
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

/** What a loss of log-probs is given, in float32. */
export interface JaxLogps<A> {
  /** [2B] or [rows]: sums over the tokens that count. */
  logps: A;
  /** The shape of the logits without V, of the tokens from their first position on; 0 where nothing counts. */
  tokenLogps: A;
  /** Likewise, with `entropy: true`. */
  entropy: A;
}

/**
 * A loss of token log-probs and entropies, written in jax-js, of a model that makes logits: its value, and its gradients with respect to
 * the model's parameters. jax-js differentiates the loss and the model, `sequenceLogpsGrad` what lies between.
 *
 * Shapes    logits: float32 or float16, [2B, T, V] or [2B·T, V], of rows [rows, T, V] or [rows·T, V]; packed tokens: [N, V] or [1, N, V]
 * Returns   a function of the model's parameters, which it consumes, to the loss, what `sequenceLogps` returns, and `grads`
 * Throws    KindError, ShapeError, ParamError: as `sequenceLogps`, when the function is called
 * @example  const loss = ({ logps }) => jax.numpy.mean(logps).neg();
 *           const lossAndGrad = jaxLogpsLoss(jax, wasm, model, { tokens }, loss);
 *           const { grads } = await lossAndGrad(weight.ref);
 */
export function jaxLogpsLoss<A extends JaxArray, P extends unknown[]>(
  jax: Jax<A>,
  backend: Pick<Backend, "sequenceLogps" | "sequenceLogpsGrad">,
  model: (...params: P) => A,
  given: SequencesAdapterBatch,
  loss: (logps: JaxLogps<A>) => A,
  all: LogpsAdapterOptions = {},
): (...params: P) => Promise<Omit<SequenceLogpsResult, "metrics"> & { loss: number; grads: JaxGrads<P, A> }> {
  const { forward, backward: options } = readLogpsAdapterOptions(all);
  const { tokens } = readSequencesAdapterBatch(given);
  const sequenceLogps = callOf(backend, "sequenceLogps");
  const sequenceLogpsGrad = callOf(backend, "sequenceLogpsGrad");
  if (typeof loss !== "function") throw new KindError(`loss: expected a function, got ${kindOf(loss)}`);
  return async (...params) => {
    const [output, backward] = jax.vjp(model as (...params: unknown[]) => A, params as never);
    try {
      const { shape } = output;
      const logits = (await output.data()) as Floats;
      const batch = { tokens, vocab: vocabOf(shape, tokens), logits };
      const result = await sequenceLogps(batch, forward);
      const { value, gradients } = await slopesOf(jax, loss, result, tokenDims(shape, result.tokenLogps.length));
      const { gradLogits } = await sequenceLogpsGrad(batch, gradients, { ...options, inPlace: true });
      const cotangent = jax.numpy.array(gradLogits as Float32Array<ArrayBuffer>, { shape });
      return { ...result, loss: value, grads: backward(cotangent) as JaxGrads<P, A> };
    } finally {
      backward.dispose();
    }
  };
}

/** Value and gradient of a loss of what `sequenceLogps` gave. */
async function slopesOf<A extends JaxArray>(
  jax: Jax<A>,
  loss: (logps: JaxLogps<A>) => A,
  { logps, tokenLogps, entropy }: SequenceLogpsResult,
  tokens: number[],
): Promise<{ value: number; gradients: LogpsGradients }> {
  const array = (values: FloatArray, shape: number[]): A => jax.numpy.array(Float32Array.from(values), { shape });
  const given = {
    logps: array(logps, [logps.length]),
    tokenLogps: array(tokenLogps, tokens),
    ...(entropy && { entropy: array(entropy, tokens) }),
  };
  let backward: { dispose(): void } | undefined;
  try {
    const [output, back] = jax.vjp(loss as (...params: unknown[]) => A, [given] as never);
    backward = back;
    const { shape } = output;
    const [value = Number.NaN] = (await output.data()) as Float32Array;
    if (shape.length > 0) throw new ShapeError("wrong-length", `loss: expected a scalar, got [${shape.join(", ")}]`);
    const [slopes] = back(array(Float32Array.of(1), [])) as [Record<string, A>];
    const gradients: Record<string, unknown> = {};
    for (const [name, slope] of Object.entries(slopes)) gradients[name] = await slope.data();
    return { value, gradients };
  } finally {
    backward?.dispose();
    // What a loss does not use nobody has consumed.
    for (const unused of Object.values(given)) if (unused.refCount > 0) unused.dispose();
  }
}

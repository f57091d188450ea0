// A Llama language model, forward pass only, in float64. Weights in llama2.c's first format: seven integers, floats.

/** Matrices are [out, in], row by row; those of the layers follow one another. */
export interface Model {
  dim: number;
  feed: number;
  layers: number;
  heads: number;
  kvHeads: number;
  vocab: number;
  /** [vocab, dim] also the head: hidden state × its transpose = logits. */
  embedding: Float64Array;
  attentionNorm: Float64Array;
  wq: Float64Array;
  wk: Float64Array;
  wv: Float64Array;
  wo: Float64Array;
  feedNorm: Float64Array;
  w1: Float64Array;
  w2: Float64Array;
  w3: Float64Array;
  finalNorm: Float64Array;
  cos: Float64Array;
  sin: Float64Array;
}

export function readModel(file: Uint8Array): Model {
  const { buffer } = new Uint8Array(file);
  const [dim = 0, feed = 0, layers = 0, heads = 0, kvHeads = 0, vocab = 0, context = 0] = new Int32Array(buffer, 0, 7);
  const kvDim = (dim / heads) * kvHeads;
  let at = 28;
  const take = (length: number): Float64Array => {
    at += 4 * length;
    return Float64Array.from(new Float32Array(buffer, at - 4 * length, length));
  };
  return {
    ...{ dim, feed, layers, heads, kvHeads, vocab },
    embedding: take(vocab * dim),
    attentionNorm: take(layers * dim),
    wq: take(layers * dim * dim),
    wk: take(layers * kvDim * dim),
    wv: take(layers * kvDim * dim),
    wo: take(layers * dim * dim),
    feedNorm: take(layers * dim),
    w1: take(layers * feed * dim),
    w2: take(layers * dim * feed),
    w3: take(layers * feed * dim),
    finalNorm: take(dim),
    cos: take((context * dim) / heads / 2),
    sin: take((context * dim) / heads / 2),
  };
}

/** [T, dim] for a row of T tokens; the state at t says what token t + 1 may be. */
export function hiddenStates(model: Model, ids: ArrayLike<number>): Float64Array {
  const { dim, layers, embedding } = model;
  let x = new Float64Array(ids.length * dim);
  for (let t = 0; t < ids.length; t++) {
    const from = (ids[t] as number) * dim;
    x.set(embedding.subarray(from, from + dim), t * dim);
  }
  for (let layer = 0; layer < layers; layer++) {
    const own = (weights: Float64Array): Float64Array => {
      const size = weights.length / layers;
      return weights.subarray(layer * size, (layer + 1) * size);
    };
    const a = normalise(x, own(model.attentionNorm));
    const q = rotate(multiply(a, own(model.wq), dim), dim, model);
    const keys = multiply(a, own(model.wk), dim);
    const k = rotate(keys, keys.length / ids.length, model);
    const v = multiply(a, own(model.wv), dim);
    x = add(x, multiply(attend(q, k, v, model), own(model.wo), dim));
    const f = normalise(x, own(model.feedNorm));
    const gate = multiply(f, own(model.w1), dim).map((g) => g / (1 + Math.exp(-g)));
    const up = multiply(f, own(model.w3), dim).map((u, i) => u * (gate[i] as number));
    x = add(x, multiply(up, own(model.w2), model.feed));
  }
  return normalise(x, model.finalNorm);
}

/** x [T, size] × transpose of weights [n, size] → [T, n]. */
export function multiply(x: Float64Array, weights: Float64Array, size: number): Float64Array {
  const n = weights.length / size;
  const y = new Float64Array((x.length / size) * n);
  for (let t = 0, i = 0; t < x.length; t += size) {
    for (let w = 0; w < weights.length; w += size) y[i++] = dot(x, t, weights, w, size);
  }
  return y;
}

function dot(a: Float64Array, atA: number, b: Float64Array, atB: number, size: number): number {
  let sum = 0;
  for (let i = 0; i < size; i++) sum += (a[atA + i] as number) * (b[atB + i] as number);
  return sum;
}

const add = (x: Float64Array, y: Float64Array) => x.map((value, i) => value + (y[i] as number));

// Root mean square norm.
function normalise(x: Float64Array, weights: Float64Array) {
  const size = weights.length;
  const scales = Float64Array.from({ length: x.length / size }, (_, t) => {
    return 1 / Math.sqrt(dot(x, t * size, x, t * size, size) / size + 1e-5);
  });
  return x.map((value, i) => value * (scales[Math.floor(i / size)] as number) * (weights[i % size] as number));
}

// Rotary embedding: neighbouring components turn together, by an angle that grows with the position.
function rotate(x: Float64Array, size: number, { dim, heads, cos, sin }: Model): Float64Array {
  const angles = dim / heads / 2;
  return x.map((value, i) => {
    const angle = Math.floor(i / size) * angles + (Math.floor(i / 2) % angles);
    const turned = (x[i ^ 1] as number) * (sin[angle] as number);
    return value * (cos[angle] as number) + (i % 2 === 0 ? -turned : turned);
  });
}

// Causal attention; several heads of q share one of k and v.
function attend(q: Float64Array, k: Float64Array, v: Float64Array, { dim, heads, kvHeads }: Model): Float64Array {
  const size = dim / heads;
  const kvDim = size * kvHeads;
  const y = new Float64Array(q.length);
  for (let at = 0; at < q.length; at += size) {
    const shared = Math.floor(((at % dim) / dim) * kvHeads) * size;
    const scores = new Float64Array(Math.floor(at / dim) + 1);
    for (let t = 0; t < scores.length; t++) scores[t] = dot(q, at, k, t * kvDim + shared, size) / Math.sqrt(size);
    const most = Math.max(...scores);
    const weights = scores.map((score) => Math.exp(score - most));
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    for (let t = 0; t < weights.length; t++) {
      const weight = (weights[t] as number) / total;
      const from = t * kvDim + shared;
      for (let i = 0; i < size; i++) y[at + i] = (y[at + i] as number) + weight * (v[from + i] as number);
    }
  }
  return y;
}

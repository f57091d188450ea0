// A Llama language model, forward only, in float64: the hidden states and logits of one row of tokens.
// Reads llama2.c's first format: seven integers, then all weights as float32.

/** Weights of the layers one after the other; matrices are [out, in], row by row. */
export interface Model {
  dim: number;
  hidden: number;
  layers: number;
  heads: number;
  kvHeads: number;
  vocab: number;
  context: number;
  embedding: Float32Array;
  attentionNorm: Float32Array;
  wq: Float32Array;
  wk: Float32Array;
  wv: Float32Array;
  wo: Float32Array;
  feedNorm: Float32Array;
  w1: Float32Array;
  w2: Float32Array;
  w3: Float32Array;
  finalNorm: Float32Array;
  cos: Float32Array;
  sin: Float32Array;
  /** Logits = hidden states × its transpose; here the embedding. */
  head: Float32Array;
}

export function readModel(file: Uint8Array): Model {
  const bytes = new Uint8Array(file).buffer;
  const [dim = 0, hidden = 0, layers = 0, heads = 0, kvHeads = 0, vocab = 0, context = 0] = new Int32Array(bytes, 0, 7);
  let at = 28;
  const take = (...shape: number[]): Float32Array => {
    const weights = new Float32Array(
      bytes,
      at,
      shape.reduce((n, size) => n * size, 1),
    );
    at += weights.byteLength;
    return weights;
  };
  const kvDim = (dim / heads) * kvHeads;
  const embedding = take(vocab, dim);
  return {
    ...{ dim, hidden, layers, heads, kvHeads, vocab, context, embedding, head: embedding },
    attentionNorm: take(layers, dim),
    wq: take(layers, dim, dim),
    wk: take(layers, kvDim, dim),
    wv: take(layers, kvDim, dim),
    wo: take(layers, dim, dim),
    feedNorm: take(layers, dim),
    w1: take(layers, hidden, dim),
    w2: take(layers, dim, hidden),
    w3: take(layers, hidden, dim),
    finalNorm: take(dim),
    cos: take(context, dim / heads / 2),
    sin: take(context, dim / heads / 2),
  };
}

/** [T, dim] what the head turns into logits: position t speaks of token t + 1. */
export function hiddenStates(model: Model, ids: ArrayLike<number>): Float64Array {
  const { dim, hidden, layers, heads, kvHeads } = model;
  const kvDim = (dim / heads) * kvHeads;
  const x = new Float64Array(ids.length * dim);
  for (let t = 0; t < ids.length; t++) {
    const id = ids[t] as number;
    x.set(model.embedding.subarray(id * dim, (id + 1) * dim), t * dim);
  }
  for (let layer = 0; layer < layers; layer++) {
    const of = (weights: Float32Array, size: number): Float32Array =>
      weights.subarray(layer * size, (layer + 1) * size);
    const a = normalise(x, of(model.attentionNorm, dim));
    const q = rotate(multiply(a, of(model.wq, dim * dim), dim), dim, model);
    const k = rotate(multiply(a, of(model.wk, kvDim * dim), dim), kvDim, model);
    const v = multiply(a, of(model.wv, kvDim * dim), dim);
    add(x, multiply(attend(q, k, v, model), of(model.wo, dim * dim), dim));
    const f = normalise(x, of(model.feedNorm, dim));
    const gate = multiply(f, of(model.w1, hidden * dim), dim);
    const up = multiply(f, of(model.w3, hidden * dim), dim);
    for (let i = 0; i < up.length; i++) up[i]! *= gate[i]! / (1 + Math.exp(-gate[i]!));
    add(x, multiply(up, of(model.w2, dim * hidden), hidden));
  }
  return normalise(x, model.finalNorm);
}

/** x [T, size] × transpose of weights [out, size] → [T, out]. */
export function multiply(x: Float64Array, weights: Float32Array, size: number): Float64Array {
  const rows = x.length / size;
  const out = weights.length / size;
  const y = new Float64Array(rows * out);
  for (let t = 0; t < rows; t++) {
    for (let j = 0; j < out; j++) {
      let sum = 0;
      for (let i = 0; i < size; i++) sum += x[t * size + i]! * weights[j * size + i]!;
      y[t * out + j] = sum;
    }
  }
  return y;
}

function add(x: Float64Array, y: Float64Array): void {
  for (let i = 0; i < x.length; i++) x[i]! += y[i]!;
}

// Root mean square norm.
function normalise(x: Float64Array, weights: Float32Array): Float64Array {
  const size = weights.length;
  const y = new Float64Array(x.length);
  for (let t = 0; t < x.length; t += size) {
    let squares = 0;
    for (let i = 0; i < size; i++) squares += x[t + i]! ** 2;
    const scale = 1 / Math.sqrt(squares / size + 1e-5);
    for (let i = 0; i < size; i++) y[t + i] = x[t + i]! * scale * weights[i]!;
  }
  return y;
}

// Rotary embedding, in place: neighbouring components turn by an angle that grows with the position.
function rotate(x: Float64Array, size: number, { dim, heads, cos, sin }: Model): Float64Array {
  const half = dim / heads / 2;
  for (let i = 0; i < x.length; i += 2) {
    const angle = Math.floor(i / size) * half + ((i / 2) % half);
    const [a, b, c, s] = [x[i]!, x[i + 1]!, cos[angle]!, sin[angle]!];
    x[i] = a * c - b * s;
    x[i + 1] = a * s + b * c;
  }
  return x;
}

// Causal attention; several heads of q share one head of k and v.
function attend(q: Float64Array, k: Float64Array, v: Float64Array, { dim, heads, kvHeads }: Model): Float64Array {
  const size = dim / heads;
  const kvDim = size * kvHeads;
  const y = new Float64Array(q.length);
  for (let t = 0; t < q.length / dim; t++) {
    for (let head = 0; head < heads; head++) {
      const at = t * dim + head * size;
      const shared = Math.floor((head * kvHeads) / heads) * size;
      const scores = Array.from({ length: t + 1 }, (_, past) => {
        let dot = 0;
        for (let i = 0; i < size; i++) dot += q[at + i]! * k[past * kvDim + shared + i]!;
        return dot / Math.sqrt(size);
      });
      const most = Math.max(...scores);
      const weights = scores.map((score) => Math.exp(score - most));
      const total = weights.reduce((sum, weight) => sum + weight, 0);
      for (const [past, weight] of weights.entries()) {
        for (let i = 0; i < size; i++) y[at + i]! += (weight / total) * v[past * kvDim + shared + i]!;
      }
    }
  }
  return y;
}

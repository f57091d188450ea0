// Until `linearLoss` is there: the logits as a whole.

import { createWasm, type Floats, type LogitsLossOptions, type PairLossResult, type Tokens } from "dpo-kernels";

export interface LinearBatch {
  tokens: Tokens;
  vocab: number;
  hiddenSize: number;
  hidden: Floats;
  weight: Float32Array;
  lora?: { a: Float32Array; b: Float32Array; rank: number; scale: number };
  reference?: { logps: Float32Array } | { hidden: Floats; weight: Float32Array };
}
type Grads = Partial<Record<"gradWeight" | "gradA" | "gradB", Float32Array>>;
export type LinearLossResult = PairLossResult & Grads;
export interface LinearBackend {
  linearLoss(
    batch: LinearBatch,
    options: Omit<LogitsLossOptions, "out"> & { out?: Grads; accumulate?: boolean },
  ): LinearLossResult | Promise<LinearLossResult>;
}

const wasm = await createWasm({ relaxed: false });
const table = new Float32Array(65536).map((_, h) => {
  const sign = h & 0x8000 ? -1 : 1;
  const e = (h >> 10) & 31;
  return e === 0 ? sign * (h & 1023) * 2 ** -24 : sign * (1024 + (h & 1023)) * 2 ** (e - 25);
});

export const temporary: LinearBackend = {
  linearLoss(
    { tokens, vocab: V, hiddenSize: D, hidden, weight, lora, reference },
    { out = {}, accumulate, ...options },
  ) {
    const f16 = hidden instanceof Float32Array ? undefined : (hidden as { f16: Uint16Array }).f16;
    const mask = tokens.completionMask as Uint8Array;
    const ids = tokens.inputIds as Int32Array;
    const T = tokens.length;
    const rows: number[] = [];
    const offsets = [0];
    for (let r = 0; r < 2 * tokens.pairs; r++) {
      for (let t = 0; t + 1 < T; t++) if (mask[r * T + t + 1]) rows.push(r * T + t);
      offsets.push(rows.length);
    }
    const N = rows.length;
    let head = weight;
    if (lora) {
      head = weight.slice();
      for (let v = 0; v < V; v++)
        for (let k = 0; k < lora.rank; k++) {
          const f = lora.scale * lora.b[v * lora.rank + k]!;
          for (let d = 0; d < D; d++) head[v * D + d]! += f * lora.a[k * D + d]!;
        }
    }
    const h = new Float32Array(N * D);
    rows.forEach((row, i) => {
      for (let d = 0; d < D; d++)
        h[i * D + d] = f16 ? table[f16[row * D + d]!]! : (hidden as Float32Array)[row * D + d]!;
    });
    const times = (head: Float32Array) => {
      const logits = new Float32Array(N * V);
      for (let i = 0; i < N; i++)
        for (let v = 0; v < V; v++) {
          let s = 0;
          for (let d = 0; d < D; d++) s += h[i * D + d]! * head[v * D + d]!;
          logits[i * V + v] = s;
        }
      return logits;
    };
    const logits = times(head);
    const ref = reference && ("logps" in reference ? reference : { logits: times(reference.weight) });
    const lengths: number[] = [];
    for (let r = 0; r < 2 * tokens.pairs; r++) {
      let c = 0;
      for (let t = 0; t < T; t++) c += mask[r * T + t]!;
      lengths.push(c);
    }
    const result = wasm.logitsLoss(
      {
        tokens: {
          pairs: tokens.pairs,
          offsets: Int32Array.from(offsets),
          targets: Int32Array.from(rows, (row) => ids[row + 1]!),
          lengths: Int32Array.from(lengths),
        },
        vocab: V,
        logits,
        ...(ref && { reference: ref }),
      },
      { ...options, inPlace: true },
    );
    const gW = new Float64Array(V * D);
    for (let i = 0; i < N; i++)
      for (let v = 0; v < V; v++) {
        const g = logits[i * V + v]!;
        for (let d = 0; d < D; d++) gW[v * D + d]! += g * h[i * D + d]!;
      }
    const put = (to: Float32Array | undefined, values: ArrayLike<number>) => {
      if (to) for (let i = 0; i < to.length; i++) to[i] = (accumulate ? to[i]! : 0) + values[i]!;
    };
    if (lora) {
      const { a, b, rank, scale } = lora;
      const gA = new Float64Array(rank * D),
        gB = new Float64Array(V * rank);
      for (let v = 0; v < V; v++)
        for (let k = 0; k < rank; k++)
          for (let d = 0; d < D; d++) {
            gB[v * rank + k]! += scale * gW[v * D + d]! * a[k * D + d]!;
            gA[k * D + d]! += scale * gW[v * D + d]! * b[v * rank + k]!;
          }
      put(out.gradA, gA);
      put(out.gradB, gB);
    } else put(out.gradWeight, gW);
    return { ...result, ...out };
  },
};

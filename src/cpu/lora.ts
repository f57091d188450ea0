// The low-rank adapter of a head, weight + scale·b·a, which is never formed: hidden states go through `a` first, and the
// kernels take what comes out as further columns. In float64; it is a small part of the work wherever the rank is.

import { decodeFloats, type FloatData } from "../inputs/floats.ts";

/** What tokens, a and scale come to: u = scale·a·hidden, [tokens · rank]. */
export interface Adapter {
  /** [rank · width] */
  readonly a: FloatData;
  /** [vocab · rank] */
  readonly b: FloatData;
  readonly rank: number;
  readonly scale: number;
  readonly u: FloatData;
}

/** scale·a·hidden of the rows that count. */
export function adapted(hidden: FloatData, rows: Int32Array, a: FloatData, rank: number, scale: number): FloatData {
  const width = a.data.length / rank;
  const state = new Float64Array(width);
  const u = new Float32Array(rows.length * rank);
  for (let k = 0; k < rows.length; k++) {
    decodeFloats(hidden, (rows[k] as number) * width, state);
    for (let j = 0; j < rank; j++) {
      let sum = 0;
      for (let i = 0; i < width; i++) sum += (a.data[j * width + i] as number) * (state[i] as number);
      u[k * rank + j] = scale * sum;
    }
  }
  return { type: "f32", data: u };
}

/**
 * From the gradient of u, `du`, to that of `a`, which is returned, and what goes to the hidden states, which `add` takes token
 * by token where they have a gradient.
 */
export function throughAdapter(
  { a, rank, scale }: Adapter,
  hidden: FloatData,
  rows: Int32Array,
  du: Float64Array,
  add: ((k: number, state: Float64Array) => void) | undefined,
): Float64Array {
  const width = a.data.length / rank;
  const state = new Float64Array(width);
  const gradState = new Float64Array(width);
  const gradA = new Float64Array(a.data.length);
  for (let k = 0; k < rows.length; k++) {
    decodeFloats(hidden, (rows[k] as number) * width, state);
    gradState.fill(0);
    for (let j = 0; j < rank; j++) {
      const slope = scale * (du[k * rank + j] as number);
      for (let i = 0, at = j * width; i < width; i++, at++) {
        gradState[i] = (gradState[i] as number) + slope * (a.data[at] as number);
        gradA[at] = (gradA[at] as number) + slope * (state[i] as number);
      }
    }
    add?.(k, gradState);
  }
  return gradA;
}

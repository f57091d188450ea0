// What the examples work on: three pairs as token ids, and numbers in place of trained weights.

import { collate } from "dpo-kernels";

export const vocab = 32;
export const dim = 8;

export const tokens = collate([
  { prompt: [1, 5, 9], chosen: [7, 8, 2], rejected: [11, 2] },
  { prompt: [1, 14], chosen: [21, 22, 23, 2], rejected: [30, 31, 2] },
  { prompt: [1, 6, 6, 12], chosen: [17, 2], rejected: [4, 3, 17, 2] },
]);

/** Numbers in ±scale, the same in every run. */
export const numbers = (n: number, scale: number, seed: number): Float32Array<ArrayBuffer> =>
  Float32Array.from({ length: n }, (_, i) => scale * Math.sin(seed * (i + 1) ** 2));

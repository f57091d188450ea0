// The batch that the tests of the adapters share, and the same in float64 for formulas written out.

import { collate } from "../../src/collate/collate.ts";
import type { TokenPair } from "../../src/collate/types.ts";

export const vocab = 19;

const examples: TokenPair[] = [
  { prompt: [1, 5, 9], chosen: [7, 8, 2], rejected: [11, 2] },
  { prompt: [1], chosen: [4, 3, 17, 2], rejected: [18, 0, 2] },
];
export const padded = collate(examples);
export const packed = collate(examples, { layout: "packed" });

/** Rows of logits. */
export const rows = { padded: 2 * padded.pairs * padded.length, packed: packed.targets.length };

/** [2B] */
export const referenceLogps = Float64Array.of(-8.5, -10.25, -6, -9.5);

/** Numbers in ±scale, the same in every run. */
export const numbers = (n: number, scale: number, seed: number): Float32Array<ArrayBuffer> =>
  Float32Array.from({ length: n }, (_, i) => scale * Math.sin(seed * (i + 1) ** 2));

/** [2B, 2B·T·V] 1 where a logit belongs to a token that row r of the padded batch predicts: Σ over it gives the row's sum. */
export function selection(): Float32Array<ArrayBuffer>[] {
  const { pairs, length, inputIds, completionMask } = padded;
  return Array.from({ length: 2 * pairs }, (_, r) => {
    const ones = new Float32Array(rows.padded * vocab);
    for (let t = 1; t < length; t++) {
      const at = r * length + t;
      if (completionMask[at] === 1) ones[(at - 1) * vocab + (inputIds[at] ?? 0)] = 1;
    }
    return ones;
  });
}

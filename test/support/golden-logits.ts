// The golden vectors that start from logits, as calls of this package.

import type { Case } from "./golden.ts";
import { flatIds, flatMask, type PaddedLogits } from "./logits.ts";

export interface LogitsBlock {
  loss: number;
  /** One list per loss, unweighted; absent in legacy.json. */
  per_pair?: number[][];
  policy_chosen_logps?: number[];
  policy_rejected_logps?: number[];
  /** [2B][T−1], 0 where nothing counts. */
  per_token_logps?: number[][];
  grad_logits: number[][][];
  metrics: Record<string, number>;
}

/** Rows as the file has them. */
export interface Rows {
  input_ids: number[][];
  completion_mask: number[][];
  policy_logits: number[][][];
  ref_logits: number[][][];
}

export type LogitsCase = Omit<Case, "f64"> & { f64: LogitsBlock };

/** Rows of a golden file as float32 arrays. */
export function logitsOfRows({ input_ids, completion_mask, policy_logits, ref_logits }: Rows): PaddedLogits {
  return {
    tokens: {
      pairs: input_ids.length / 2,
      length: (input_ids[0] as number[]).length,
      inputIds: flatIds(input_ids),
      completionMask: flatMask(completion_mask),
    },
    vocab: policy_logits.flat()[0]?.length ?? 0,
    logits: Float32Array.from(policy_logits.flat(2)),
    reference: { logits: Float32Array.from(ref_logits.flat(2)) },
  };
}

/** Token log-probs as the package has them: one more column, in which nothing counts. */
export const withLastColumn = (rows: readonly (readonly number[])[]): number[] => rows.flatMap((row) => [...row, 0]);

/** Logit number i of bigvocab.json. */
export function hashedLogit(i: number, seed: number, scale: number): number {
  let h = (Math.imul(i, 0x9e3779b1) + seed) >>> 0;
  h ^= h >>> 15;
  h = Math.imul(h, 0x85ebca77) >>> 0;
  h ^= h >>> 13;
  return (((h >>> 8) - 2 ** 23) / 2 ** 24) * scale;
}

// Batches with 64 MB of logits, of the shapes that memory depends on.

import type { LogitsLossOptions } from "../../src/types.ts";

export interface Scene {
  pairs: number;
  length: number;
  vocab: number;
  /** Of `length` positions so many count, at the end of each row. */
  counting: number;
  type?: "f32" | "bf16";
  isPacked?: boolean;
  reference?: "logits" | "logps";
  options?: LogitsLossOptions;
}

const many = { pairs: 512, length: 1025, vocab: 16, counting: 1024 };
const wide = { pairs: 8, length: 9, vocab: 131072, counting: 8 };

export const scenes: Readonly<Record<string, Scene>> = {
  "a million tokens": many,
  "a million packed tokens, in place": { ...many, isPacked: true, reference: "logps", options: { inPlace: true } },
  "WPO and all metrics": { ...many, options: { weighting: "wpo", metrics: "full" } },
  "one token in sixteen counts": { ...many, length: 1024, counting: 64 },
  "128 rows of 131,072": wide,
  "128 rows of 131,072 bfloat16, gradient float32": { ...wide, type: "bf16", options: { gradType: "f32" } },
  "128 rows of 131,072 bfloat16, in place": { ...wide, type: "bf16", options: { inPlace: true } },
};

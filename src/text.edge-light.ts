// dpo-kernels/text in Vercel's and Next.js' edge runtimes.

import { createBackend } from "./backends/edge-light.ts";
import { type CreateScorer, createScorerWith } from "./text/scorer.ts";

export type * from "./text/scorer-types.ts";
export { tokenizePairs } from "./text/tokenize.ts";
export type * from "./text/types.ts";

export const createScorer: CreateScorer = /* @__PURE__ */ createScorerWith(createBackend);

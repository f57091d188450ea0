// dpo-kernels/text in Cloudflare Workers.

import { createBackend } from "./backends/workerd.ts";
import { type CreateScorer, createScorerWith } from "./text/scorer.ts";

export type * from "./text/scorer-types.ts";
export { tokenizePairs } from "./text/tokenize.ts";
export type * from "./text/types.ts";

export const createScorer: CreateScorer = /* @__PURE__ */ createScorerWith(createBackend);

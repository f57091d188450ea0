// dpo-kernels/text: from texts and messages to token lists, and from those to log-probs, with a model and tokenizer of your own.

import { createBackend } from "./backends/select.ts";
import { type CreateScorer, createScorerWith } from "./text/scorer.ts";

export type * from "./text/scorer-types.ts";
export { tokenizePairs } from "./text/tokenize.ts";
export type * from "./text/types.ts";

/**
 * A scorer: log-probs of completions by a model of transformers.js, an ONNX session or a function of your own. Sequences of like
 * length are run together; of each, no more logits are asked for than the model can leave out, and none are kept.
 *
 * Throws    KindError, ParamError
 * @example  import { createScorer } from "dpo-kernels/text";
 *           const model = ({ rows, length }) => new Float32Array(rows * length * 4); // logits: every id is as likely
 *           const scorer = createScorer({ model, vocab: 4 });
 *           const { logps } = await scorer.logps([{ prompt: [1], chosen: [2, 3], rejected: [2] }]); // −2·ln 4, −ln 4
 */
export const createScorer: CreateScorer = /* @__PURE__ */ createScorerWith(createBackend);

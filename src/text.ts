// dpo-kernels/text: from texts and messages to token lists, and from those to log-probs, with a model and tokenizer that you bring.

export { createScorer } from "./text/scorer.ts";
export type {
  ModelBatch,
  ModelFunction,
  ModelOutput,
  ModelSession,
  ModelTensor,
  PairScores,
  RowScores,
  ScoreOptions,
  Scorer,
  ScorerBackend,
  ScorerExample,
  ScorerHead,
  ScorerOptions,
  SequenceScores,
  SessionModel,
  TokenRow,
} from "./text/scorer-types.ts";
export { tokenizePairs } from "./text/tokenize.ts";
export type {
  LabelledRow,
  Message,
  PairRow,
  TextTokenizer,
  TextWarning,
  TextWarningKind,
  TokenizedPair,
  TokenizedRow,
  TokenizeOptions,
} from "./text/types.ts";

// Log-probs of a data set by a model: sequences of like length together, padded as the model wants, in the order they came in.

import type { CreateBackend } from "../backends/choose.ts";
import { isList } from "../checks/lists.ts";
import { checkCount } from "../checks/numbers.ts";
import { recordOf } from "../checks/record.ts";
import { AbortError, KindError, ParamError } from "../errors.ts";
import { kindOf, shown } from "../messages.ts";
import type { SequencesBatch } from "../types.ts";
import { batchesOf, firstCounted, padBatch, type Sequence } from "./batches.ts";
import { isTextRow, readSequences } from "./examples.ts";
import { type Answer, openModel } from "./models.ts";
import type {
  ModelBatch,
  PairScores,
  RowScores,
  ScoreOptions,
  Scorer,
  ScorerBackend,
  ScorerOptions,
  SequenceScores,
} from "./scorer-types.ts";
import { tokenizePairs } from "./tokenize.ts";
import type { PairRow, TokenizeOptions } from "./types.ts";

const readOptions = recordOf<ScorerOptions>({ what: "options", field: "an option of createScorer" }, [
  "model",
  "tokenizer",
  "backend",
  "batchTokens",
  "paddingSide",
  "padTokenId",
  "head",
  "vocab",
  "maxLength",
  "truncationMode",
  "eosToken",
  "chatTemplate",
  "tools",
  "chatTemplateKwargs",
  "onWarning",
  "logitScale",
  "logitSoftcap",
  "temperature",
  "signal",
  "onProgress",
]);

const readScoreOptions = recordOf<ScoreOptions>({ what: "options", field: "an option of logps" }, [
  "signal",
  "onProgress",
]);

/** A scorer of one model. */
export type CreateScorer = (options: ScorerOptions) => Scorer;

/** `createBackend` makes what computes, where the options bring nothing. */
export const createScorerWith =
  (createBackend: CreateBackend): CreateScorer =>
  (options) =>
    makeScorer(options, createBackend);

function makeScorer(options: ScorerOptions, createBackend: CreateBackend): Scorer {
  const given = readOptions(options);
  const settings = checkSettings(given);
  let own: (ScorerBackend & { dispose(): unknown }) | undefined;
  const backendOf = async (): Promise<ScorerBackend> => {
    if (given.backend) return given.backend;
    own ??= await createBackend({ for: given.head ? "linear" : "logits" });
    return own;
  };

  const score = async (sequences: readonly Sequence[], call: ScoreOptions): Promise<SequenceScores> => {
    const { signal = given.signal, onProgress = given.onProgress } = readScoreOptions(call);
    const check = (): void => {
      if (signal?.aborted) throw new AbortError(signal.reason);
    };
    check();
    const backend = await backendOf();
    const model = openModel(given, backend.name === "webgpu");
    const side = sideOf(given, model.takesLeftPadding);
    const scores: SequenceScores = {
      logps: new Float64Array(sequences.length),
      lengths: Int32Array.from(sequences, ({ ids, completion }) => ids.length - completion),
      tokenLogps: sequences.map(() => new Float32Array(0)),
    };
    const batches = batchesOf(sequences, settings.batchTokens);
    // Those without a token that counts are done.
    let done = sequences.length - batches.flat().length;
    for (const indices of batches) {
      const members = indices.map((i) => sequences[i] as Sequence);
      const batch = padBatch(members, side, settings.padTokenId);
      const answer = await model.run(batch);
      try {
        check();
        const { logps, tokenLogps } = await backend.sequenceLogps(
          sequencesBatch(batch, answer, given),
          transformOf(given),
        );
        for (const [r, i] of indices.entries()) {
          const { ids } = members[r] as Sequence;
          const start = r * batch.length + (side === "left" ? batch.length - ids.length : 0);
          const first = firstCounted(members[r] as Sequence);
          scores.logps[i] = logps[r] as number;
          scores.tokenLogps[i] = Float32Array.from(tokenLogps.subarray(start + first - 1, start + ids.length - 1));
        }
      } finally {
        answer.release();
      }
      done += indices.length;
      onProgress?.(done, sequences.length);
      check();
    }
    return scores;
  };

  const dispose = async (): Promise<void> => {
    const ended = own;
    own = undefined;
    await ended?.dispose();
  };

  const logps = async (examples: readonly unknown[], call: ScoreOptions = {}): Promise<PairScores | RowScores> => {
    if (!isList(examples)) throw new KindError(`examples: expected a list, got ${kindOf(examples)}`);
    const isText = examples.length > 0 && isTextRow(examples[0]);
    if (isText && !given.tokenizer) {
      throw new ParamError("missing-input", "tokenizer: expected with texts or messages, got nothing");
    }
    const lists = isText
      ? tokenizePairs(
          examples as PairRow[],
          given.tokenizer as NonNullable<typeof given.tokenizer>,
          tokenizeOptions(given),
        )
      : examples;
    const { sequences, isPairs } = readSequences(lists, given);
    const scores = await score(sequences, call);
    const result = { ...scores, ...(isText && { examples: lists }) };
    return (isPairs ? bySide(result) : result) as PairScores | RowScores;
  };
  return { logps: logps as Scorer["logps"], dispose, [Symbol.asyncDispose]: dispose };
}

function checkSettings(options: ScorerOptions): { batchTokens: number; padTokenId: number } {
  const { batchTokens = 2048, paddingSide, maxLength, truncationMode, tokenizer } = options;
  const padTokenId = options.padTokenId ?? tokenizer?.pad_token_id ?? 0;
  checkCount(batchTokens, "batchTokens");
  if (!Number.isSafeInteger(padTokenId)) throw new KindError(`padTokenId: expected an id, got ${shown(padTokenId)}`);
  if (paddingSide !== undefined && paddingSide !== "left" && paddingSide !== "right") {
    throw new ParamError("out-of-range", `paddingSide: expected "left" or "right", got ${shown(paddingSide)}`);
  }
  if (maxLength !== undefined) checkCount(maxLength, "maxLength");
  if (truncationMode !== undefined && truncationMode !== "keep_start" && truncationMode !== "keep_end") {
    throw new ParamError(
      "out-of-range",
      `truncationMode: expected "keep_start" or "keep_end", got ${shown(truncationMode)}`,
    );
  }
  // What is no model is refused at once.
  openModel(options, false);
  return { batchTokens, padTokenId };
}

// Without positions a model counts from the left edge, padding included.
function sideOf({ paddingSide, tokenizer }: ScorerOptions, takesLeft: boolean): "left" | "right" {
  if (paddingSide === "left" && !takesLeft) {
    const expected = `expected "right" for a model without inputs attention_mask and position_ids`;
    throw new ParamError("out-of-range", `paddingSide: ${expected}, got "left"`);
  }
  if (paddingSide !== undefined) return paddingSide;
  return takesLeft && tokenizer?.padding_side === "left" ? "left" : "right";
}

const tokenizeOptions = (given: ScorerOptions): TokenizeOptions => {
  const { maxLength, truncationMode, eosToken, chatTemplate, tools, chatTemplateKwargs, onWarning } = given;
  return { maxLength, truncationMode, eosToken, chatTemplate, tools, chatTemplateKwargs, onWarning };
};

const transformOf = ({ logitScale, logitSoftcap, temperature }: ScorerOptions) => ({
  logitScale,
  logitSoftcap,
  temperature,
});

function bySide<T extends SequenceScores>(scores: T): T & Omit<PairScores, keyof SequenceScores | "examples"> {
  const { logps, lengths } = scores;
  const half = logps.length / 2;
  return {
    ...scores,
    ...{ chosenLogps: logps.subarray(0, half), rejectedLogps: logps.subarray(half) },
    ...{ chosenLengths: lengths.subarray(0, half), rejectedLengths: lengths.subarray(half) },
  };
}

/** The batch of `sequenceLogps`. */
function sequencesBatch(batch: ModelBatch, { kind, values }: Answer, { head }: ScorerOptions): SequencesBatch {
  const { rows, length, inputIds, completionMask } = batch;
  const { floats, width, from } = values;
  const tokens = { rows, length, inputIds, completionMask, logitsFrom: from };
  if (kind === "logits" || !head) return { tokens, vocab: width, logits: floats };
  const { weight, vocab, hiddenSize, bias } = head;
  return { tokens, vocab, hiddenSize, hidden: floats, weight, bias };
}

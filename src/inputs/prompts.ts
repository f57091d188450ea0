// The tokens of prompts, which ORPO's negative log-likelihood sees beside those of completions.

import { ParamError } from "../errors.ts";
import type { Mask, Tokens } from "../types.ts";
import { type AnyTokens, checkMask, type IdReader, listMasked, type TokenList } from "./tokens.ts";

/** The tokens that a call reads whose losses see prompts too. */
export interface PromptTokens {
  /** Prompt and completion of the chosen rows, completions of the rejected ones. */
  readonly all: TokenList;
  /** Which of them each token of the completions is. */
  readonly own: Int32Array;
}

/**
 * Lists prompt and completion of the chosen rows: every token of the attention mask but the first of its row; without a mask, up to
 * the last of the completion, as where rows are padded on the right.
 *
 * Throws    KindError, ShapeError; ParamError for packed tokens, which hold no prompts, and for ids out of range
 */
export function listPrompts(reader: IdReader, tokens: AnyTokens, list: TokenList, vocab: number): PromptTokens {
  const { pairs, start, places } = list;
  const { length, completionMask, attentionMask } = tokens as Tokens & { attentionMask?: unknown };
  if ((tokens as { offsets?: unknown }).offsets !== undefined) {
    throw new ParamError(
      "missing-input",
      "nll: expected false with packed tokens, which hold no prompts, got true: orpo's negative log-likelihood is over prompts too",
    );
  }
  if (attentionMask !== undefined) checkMask(attentionMask, "tokens.attentionMask", list.size);
  const mask = Uint8Array.from({ length: list.size }, (_, at) => Number(completionMask[at]));
  for (let r = 0; r < pairs; r++) {
    const from = r * length;
    const last =
      (start[r + 1] as number) > (start[r] as number) ? (places[(start[r + 1] as number) - 1] as number) : from - 1;
    let isFirst = true;
    for (let t = 0; t < length; t++) {
      const isSeen = attentionMask
        ? Number((attentionMask as Mask)[from + t]) !== 0
        : from + t <= last + 1 && last >= from;
      if (isSeen && !isFirst) mask[from + t] = 1;
      if (isSeen) isFirst = false;
    }
  }
  const all = listMasked(reader, tokens as never, mask, list, vocab);
  const own = new Int32Array(places.length);
  for (let k = 0, j = 0; j < places.length; k++) if (all.places[k] === places[j]) own[j++] = k;
  return { all, own };
}

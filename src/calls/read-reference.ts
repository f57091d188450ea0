// How a call reads its reference's tokens: as another model's logits, or through another model's head.

import type { LinearEngine } from "../cpu/head.ts";
import type { LinearHead } from "../cpu/head-shards.ts";
import type { ReferenceData } from "../inputs/reference.ts";
import type { TokenList } from "../inputs/tokens.ts";
import type { LogitsEngine } from "./logits-loss.ts";
import type { TokenStage } from "./token-stage.ts";

/** What a call that sees tokens runs on. */
export interface TokenEngines<H = LinearHead> {
  readonly logits: LogitsEngine;
  readonly linear: LinearEngine<H>;
}

/** Reads the reference's tokens; undefined where its log-probs are given, or none are needed. Memory is made sure of now. */
export function referenceReader<H>(
  { logits, linear }: TokenEngines<H>,
  reference: ReferenceData | undefined,
  list: TokenList,
  vocab: number,
): TokenStage["readReference"] {
  if (!reference || "logps" in reference) return undefined;
  if ("logits" in reference) {
    const { rows, targets, positions } = list;
    const given = { logits: reference.logits, vocab, rows, targets, positions };
    return (sums) => logits.read(given, sums, false);
  }
  const head = linear.open(reference.head, list, vocab);
  return (sums) => linear.read(head, sums, false);
}

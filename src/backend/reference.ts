// How a call reads its reference's tokens: as another model's logits, or through another model's head.

import type { HeadData } from "../head.ts";
import type { ReferenceData } from "../reference.ts";
import type { TokenList } from "../tokens.ts";
import type { LinearEngine } from "./linear-engine.ts";
import type { LinearHead } from "./linear-shards.ts";
import type { LogitsEngine } from "./logits-loss.ts";
import { adapted } from "./lora.ts";
import type { TokenStage } from "./token-stage.ts";

/** What a call that sees tokens runs on. */
export interface TokenEngines {
  readonly logits: LogitsEngine;
  readonly linear: LinearEngine;
}

/** Reads the reference's tokens; undefined where its log-probs are given, or none are needed. Memory is made sure of now. */
export function referenceReader(
  { logits, linear }: TokenEngines,
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
  const head = headOf(reference.head, list, vocab);
  linear.reserve(head);
  return (sums) => linear.read(head, sums, false);
}

/** A head over the tokens that count. */
export function headOf(
  { hidden, width, weight, bias, lora }: HeadData,
  { rows, targets }: TokenList,
  vocab: number,
): LinearHead {
  const adapter = lora && { ...lora, u: adapted(hidden, rows, lora.a, lora.rank, lora.scale) };
  return { hidden, rows, targets, width, vocab, weight, bias, lora: adapter };
}

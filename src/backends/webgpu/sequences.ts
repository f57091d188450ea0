// From the tokens of a call to its sequences, on the GPU: the policy's and the reference's.

import type { TokenList } from "../../inputs/tokens.ts";
import type { FloatArray } from "../../types.ts";
import type { Commands, Range } from "./commands.ts";
import { summedWords } from "./fixed-point.wgsl.ts";
import { groupsOf } from "./prelude.wgsl.ts";
import { type BatchParams, sequenceBytes, uploadParams } from "./resident.ts";
import { givenWgsl, idsWgsl, SEQUENCE_WORDS, sequencesWgsl } from "./sequences.wgsl.ts";
import { packTokens, type TokenSource } from "./token-source.ts";

/** Ids on the GPU: where they are, and which of them each token is. */
export interface GpuIds {
  readonly range: Range;
  readonly places: (list: TokenList) => Uint32Array;
}

/** What a resident call knows of its tokens. */
export interface ResidentJob {
  readonly list: TokenList;
  readonly vocab: number;
  readonly ldAlpha: number;
  /** Whether entropy, mean logits and WPO's weights are wanted. */
  readonly statistics: boolean;
  /** Ids that lie on the GPU; else those of the list. */
  readonly ids: GpuIds | undefined;
  readonly policy: TokenSource;
}

/** A reference's own source; log-probs here, or float32 on the GPU; none is log-probs of 0. */
export type ResidentReference = TokenSource | { readonly logps: FloatArray } | { readonly there: Range } | undefined;

/** Place and id of each token of a source; ids on the GPU are clamped, and counted in the metrics where they were wrong. */
export function recordTokens(
  commands: Commands,
  source: TokenSource,
  { list, vocab, ids }: ResidentJob,
  metrics: Range,
): Range {
  const count = list.rows.length;
  const tokens = commands.upload(packTokens(source, list.targets));
  if (ids && count > 0) {
    const params = commands.upload(Uint32Array.of(count, vocab));
    // A copy: the caller's offset need not be one that can be bound.
    const own = commands.scratch(ids.range.size);
    commands.copy(ids.range, own);
    commands.run(idsWgsl, groupsOf(count), params, commands.upload(ids.places(list)), own, tokens, metrics);
  }
  return tokens;
}

/** What sequences are made of, uploaded once for policy and reference. */
export interface Layout {
  readonly start: Range;
  readonly rows: Range;
}

/** Sums of each sequence from those of its tokens; their own numbers go to `perToken`. */
export function recordSequences(
  commands: Commands,
  { list }: ResidentJob,
  { start, rows }: Layout,
  params: BatchParams,
  sums: Range,
  perToken: Range,
): Range {
  const sequences = commands.scratch(sequenceBytes(2 * list.pairs));
  const shared = uploadParams(commands, params);
  commands.run(sequencesWgsl, 2 * list.pairs, shared, start, rows, sums, sequences, perToken);
  return sequences;
}

export const uploadLayout = (commands: Commands, { start, rows }: TokenList): Layout => ({
  start: commands.upload(start),
  rows: commands.upload(rows),
});

/** The reference's sequences: through its own source of tokens, whose sums come too; or as given; zeros where there is none. */
export function recordReference(
  commands: Commands,
  job: ResidentJob & { readonly reference: ResidentReference },
  layout: Layout,
  params: BatchParams,
  metrics: Range,
): { sequences: Range; sums: Range | undefined } {
  const { reference, list } = job;
  if (reference && "forward" in reference) {
    const plain = { ...params, statistics: false };
    // Places may differ from the policy's. Ids out of range are counted once, with the policy's.
    const tokens = recordTokens(commands, reference, job, commands.scratch(metrics.size));
    const sums = reference.forward(commands, tokens, false);
    const unused = commands.scratch(8 * list.positions);
    return { sequences: recordSequences(commands, job, layout, plain, sums, unused), sums };
  }
  if (reference && "there" in reference) {
    const count = 2 * list.pairs;
    const logps = commands.scratch(reference.there.size);
    commands.copy(reference.there, logps);
    const sequences = commands.scratch(sequenceBytes(count));
    commands.run(givenWgsl, groupsOf(count), uploadParams(commands, { ...params, tokens: count }), logps, sequences);
    return { sequences, sums: undefined };
  }
  const words = new Uint32Array(2 * list.pairs * SEQUENCE_WORDS);
  const logps = reference ? reference.logps : new Float64Array(2 * list.pairs);
  logps.forEach((x, r) => {
    words.set(summedWords(x), r * SEQUENCE_WORDS);
  });
  return { sequences: commands.upload(words), sums: undefined };
}

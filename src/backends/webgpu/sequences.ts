// From the tokens of a call to its sequences, policy's and reference's, and through the pair stage, all on the GPU.

import type { DeviceFloats } from "../../inputs/floats.ts";
import type { TokenList } from "../../inputs/tokens.ts";
import type { Plan, Term } from "../../plan/plan.ts";
import type { FloatArray } from "../../types.ts";
import { type Commands, packParams, type Range } from "./commands.ts";
import { summedWords } from "./fixed-point.wgsl.ts";
import { recordPairs } from "./pairs.ts";
import { inputNames, pairSumsWgsl } from "./pairs.wgsl.ts";
import { groupsOf } from "./prelude.wgsl.ts";
import {
  givenWgsl,
  idsWgsl,
  keysOfWgsl,
  pairInputsWgsl,
  SEQUENCE_WORDS,
  sequencesWgsl,
  tokenMetricsWgsl,
} from "./sequences.wgsl.ts";
import { packTokens, type TokenSource } from "./token-source.ts";

/** Ids on the GPU, and at which of them each token finds its own. */
export interface DeviceIds {
  readonly range: Range;
  readonly positions: (list: TokenList) => Uint32Array;
}

/** A checked batch of tokens, and where their logits come from. */
export interface TokenJob {
  readonly list: TokenList;
  readonly vocab: number;
  readonly ldAlpha: number;
  /** Whether entropy, mean logits and WPO's weights are wanted. */
  readonly statistics: boolean;
  /** Whether the entropy of each token is a result; with statistics. */
  readonly each?: boolean | undefined;
  /** Ids that lie on the GPU, in place of those of the list. */
  readonly ids: DeviceIds | undefined;
  readonly policy: TokenSource;
}

/** The tokens of another model, or log-probs of sequences; without either they are 0. */
export type ReferenceSource = TokenSource | { readonly logps: FloatArray | DeviceFloats } | undefined;

/** The parameters of every shader of sequences.wgsl.ts. */
export interface BatchParams {
  readonly pairs: number;
  readonly sequences: number;
  readonly tokens: number;
  readonly vocab: number;
  readonly statistics: boolean;
  readonly alpha: number;
  /** What likelihood losses add to the gradient of every chosen token. */
  readonly slope: number;
  readonly wpo: boolean;
  /** Where log-sum-exps start behind log-probs of tokens, and with `each` entropies behind those. */
  readonly offset: number;
  readonly each: boolean;
}

export const uploadParams = (commands: Commands, params: BatchParams): Range =>
  commands.upload(
    packParams([
      { u32: params.pairs },
      { u32: params.tokens },
      { u32: params.vocab },
      { u32: Number(params.statistics) },
      { f32: params.alpha },
      { f32: params.slope },
      { u32: Number(params.wpo) },
      { u32: params.offset },
      { u32: params.sequences },
      { u32: Number(params.each) },
    ]),
  );

/** Bytes of the sums of sequences; zeros are log-probs of 0. */
export const sequenceBytes = (count: number): number => 4 * SEQUENCE_WORDS * count;

/** Uploads slot and id of each token of a source. Ids on the GPU are clamped there, and those out of range are counted in the metrics. */
export function recordTokens(
  commands: Commands,
  source: TokenSource,
  { list, vocab, ids }: Pick<TokenJob, "list" | "vocab" | "ids">,
  metrics: Range,
): Range {
  const count = list.rows.length;
  const tokens = commands.upload(packTokens(source, list.targets));
  if (ids && count > 0) {
    const params = commands.upload(Uint32Array.of(count, vocab));
    // Copied, since the caller's offset need not be one that can be bound.
    const own = commands.scratch(ids.range.size);
    commands.copy(ids.range, own);
    commands.run(idsWgsl, groupsOf(count), params, commands.upload(ids.positions(list)), own, tokens, metrics);
  }
  return tokens;
}

/** Where sequences start and where the results of their tokens go, uploaded once for policy and reference. */
export interface Layout {
  readonly start: Range;
  readonly places: Range;
}

export const uploadLayout = (commands: Commands, { start, places }: TokenList): Layout => ({
  start: commands.upload(start),
  places: commands.upload(places),
});

/** Records the sums of each sequence from those of its tokens, whose own log-probs and log-sum-exps go to `perToken`. */
export function recordSequences(
  commands: Commands,
  { start, places }: Layout,
  params: BatchParams,
  sums: Range,
  perToken: Range,
): Range {
  const sequences = commands.scratch(sequenceBytes(params.sequences));
  const shared = uploadParams(commands, params);
  commands.run(sequencesWgsl, params.sequences, shared, start, places, sums, sequences, perToken);
  return sequences;
}

/** Records the reference's sequences; with them come the sums of its tokens, if it has any. */
export function recordReference(
  commands: Commands,
  job: TokenJob & { readonly reference: ReferenceSource },
  layout: Layout,
  params: BatchParams,
  metrics: Range,
): { sequences: Range; sums: Range | undefined } {
  const { reference, list } = job;
  const count = 2 * list.pairs;
  if (reference && "forward" in reference) {
    const plain = { ...params, statistics: false, each: false };
    // Its slots may differ from the policy's. Ids out of range were counted with the policy's.
    const tokens = recordTokens(commands, reference, job, commands.scratch(metrics.size));
    const sums = reference.forward(commands, tokens, false);
    const unused = commands.scratch(8 * list.size);
    return { sequences: recordSequences(commands, layout, plain, sums, unused), sums };
  }
  const logps = reference?.logps ?? new Float64Array(count);
  if (!ArrayBuffer.isView(logps)) {
    const { buffer, byteOffset: offset, byteLength: size } = logps;
    const copied = commands.scratch(size);
    commands.copy({ buffer, offset, size }, copied);
    const sequences = commands.scratch(sequenceBytes(count));
    commands.run(givenWgsl, groupsOf(count), uploadParams(commands, { ...params, tokens: count }), copied, sequences);
    return { sequences, sums: undefined };
  }
  const words = new Uint32Array(count * SEQUENCE_WORDS);
  logps.forEach((x, r) => {
    words.set(summedWords(x), r * SEQUENCE_WORDS);
  });
  return { sequences: commands.upload(words), sums: undefined };
}

/** The pair stage between sequences and gradients. */
export interface PairParts {
  readonly plan: Plan;
  readonly params: BatchParams;
  readonly scale: number;
  /** Of a likelihood loss: what pairs bear of its slope, and its value for a sum of 1. */
  readonly likelihood: (at: number) => readonly [loss: number, slope: number, perSum: number];
  readonly policy: Range;
  readonly reference: Range;
  /** Of each pair what the pair stage reads beside log-probs, one column after another. */
  readonly columns: Range;
  /** Where the tokens of each sequence start. */
  readonly start: Range;
}

/** Records it: `inputs` of the pair stage, its `results` one after another, and the metrics. */
export function recordPairStage(
  commands: Commands,
  parts: PairParts,
  metrics: Range,
): { inputs: Range; results: Range } {
  const { plan, params, scale, likelihood, policy, reference, columns, start } = parts;
  const { pairs } = params;
  const shared = uploadParams(commands, params);
  const inputs = commands.scratch(4 * (inputNames.length * pairs + 1));
  commands.run(tokenMetricsWgsl, 1, shared, policy, start, inputs, metrics);
  commands.run(pairInputsWgsl, groupsOf(pairs), shared, policy, reference, columns, start, inputs);
  const keys = ({ loss, free }: Term): Range => {
    const range = commands.scratch(16 * pairs);
    const sorted = loss.batch ?? "";
    commands.run(keysOfWgsl(sorted), groupsOf(pairs), shared, policy, free ? blank() : reference, range);
    return range;
  };
  const blank = (): Range => {
    const range = commands.scratch(sequenceBytes(2 * pairs));
    commands.clear(range);
    return range;
  };
  const results = recordPairs(commands, { plan, pairs, scale, likelihood, keys }, inputs);
  const sums = commands.upload(packParams([{ u32: pairs }, { f32: plan.beta }]));
  commands.run(pairSumsWgsl, 1, sums, inputs, results, metrics);
  return { inputs, results };
}

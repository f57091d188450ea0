// sequenceLogps and logitsLoss with `readback: false`: logits, gradients and everything between stay on the GPU.

import type { FloatData } from "../floats.ts";
import { checkLogits, checkLogitsLoss } from "../logits.ts";
import { type Plan, planLosses } from "../plan.ts";
import type { TokenList } from "../tokens.ts";
import type { LogitsBatch, LogitsLossOptions, Reference, SequenceLogpsOptions } from "../types.ts";
import type { Commands, Gpu, Range } from "./commands.ts";
import { summedWords } from "./fixed.wgsl.ts";
import { type Piece, place } from "./place.ts";
import {
  type BatchParams,
  createOutputs,
  groupsOf,
  METRICS_BYTES,
  packLengths,
  pairRanges,
  RESULTS,
  recordPairStage,
  sequenceBytes,
  submitLater,
  uploadParams,
} from "./resident.ts";
import { checkResident } from "./resident-pairs.ts";
import { packTokens, recordBackward, recordForward, tokensOf } from "./rows.ts";
import { SUMS_WORDS } from "./rows.wgsl.ts";
import { idsWgsl, SEQUENCE_WORDS, sequencesWgsl, tokenGradientsWgsl } from "./sequences.wgsl.ts";
import type { GpuLogitsLossResult, GpuRange, GpuSequenceLogpsResult } from "./types.ts";

/** Ids on the GPU: where they are, and which of them each token is. */
export interface GpuIds {
  readonly range: Range;
  readonly places: (list: TokenList) => Uint32Array;
}

/** Tokens of one piece: those of the list from `from` on. */
interface PieceTokens {
  readonly piece: Piece;
  readonly from: number;
  readonly count: number;
  readonly tokens: Range;
}

function recordTokens(
  commands: Commands,
  pieces: readonly Piece[],
  list: TokenList,
  vocab: number,
  ids: GpuIds | undefined,
  metrics: Range,
): PieceTokens[] {
  const places = ids?.places(list);
  return pieces.flatMap((piece) => {
    const [from, to] = tokensOf(piece, list.rows);
    if (from === to) return [];
    const tokens = commands.upload(packTokens(piece, list.rows, list.targets, from, to));
    if (ids && places) {
      const params = commands.upload(Uint32Array.of(to - from, vocab));
      const part = commands.upload(places.slice(from, to));
      // A copy: the caller's offset need not be one that can be bound.
      const own = commands.scratch(ids.range.size);
      commands.copy(ids.range, own);
      commands.run(idsWgsl, groupsOf(to - from), params, part, own, tokens, metrics);
    }
    return [{ piece, from, count: to - from, tokens }];
  });
}

/** Records rows to sequences; returns the sums of every token, and the sequences. */
function recordSequences(
  commands: Commands,
  gpu: Gpu,
  type: FloatData["type"],
  parts: readonly PieceTokens[],
  list: TokenList,
  params: BatchParams,
  perToken: Range,
): { sums: Range; sequences: Range; start: Range } {
  const kind = { type, subgroups: gpu.device.features.has("subgroups") };
  const bytes = 4 * SUMS_WORDS;
  const sums = commands.scratch(bytes * Math.max(list.rows.length, 1));
  for (const { piece, from, count, tokens } of parts) {
    const part = recordForward(commands, kind, piece, params.vocab, tokens, params.statistics);
    commands.copy(part, { buffer: sums.buffer, offset: from * bytes, size: count * bytes });
  }
  const sequences = commands.scratch(sequenceBytes(2 * list.pairs));
  const start = commands.upload(list.start);
  const rows = list.rows.length > 0 ? commands.upload(list.rows) : commands.scratch(4);
  const shared = uploadParams(commands, params);
  commands.run(sequencesWgsl, 2 * list.pairs, shared, start, rows, sums, sequences, perToken);
  return { sums, sequences, start };
}

const paramsOf = (list: TokenList, vocab: number, alpha: number, statistics: boolean): BatchParams => ({
  pairs: list.pairs,
  tokens: list.rows.length,
  vocab,
  statistics,
  alpha,
  slope: 0,
  wpo: false,
  offset: list.positions,
});

const perTokenRanges = ({ buffer }: GpuRange, positions: number) => ({
  tokenLogps: { buffer, offset: 0, size: 4 * positions },
  logsumexp: { buffer, offset: 4 * positions, size: 4 * positions },
});

export function residentLogps(
  gpu: Gpu,
  batch: LogitsBatch,
  options: SequenceLogpsOptions,
  ids: GpuIds | undefined,
): GpuSequenceLogpsResult {
  const { list, vocab, logits, ldAlpha } = checkLogits(batch, options);
  const placed = place(gpu, logits, vocab);
  const outputs = createOutputs(gpu);
  const perToken = outputs.make(8 * list.positions);
  const metrics = outputs.make(METRICS_BYTES);
  const logps = outputs.make(8 * list.pairs);
  const params = paramsOf(list, vocab, ldAlpha, options.metrics === "full");
  const done = submitLater(gpu, (commands) => {
    const parts = recordTokens(commands, placed.pieces, list, vocab, ids, metrics);
    const { sequences, start } = recordSequences(commands, gpu, logits.type, parts, list, params, perToken);
    // The pair stage of a loss without a reference gives the log-probs in the order of the result.
    const plan = planLosses({ referenceFree: true });
    const stage = { ...stageOf(commands, plan, params, list), policy: sequences, reference: sequences, start };
    const { inputs } = recordPairStage(commands, stage, metrics);
    commands.copy({ ...inputs, offset: 8 * list.pairs, size: 8 * list.pairs }, logps);
  });
  placed.release();
  return { logps, ...perTokenRanges(perToken, list.positions), metrics, done, destroy: outputs.destroy };
}

const stageOf = (commands: Commands, plan: Plan, params: BatchParams, { pairs, lengths }: TokenList) => ({
  plan,
  params,
  scale: 1 / pairs,
  likelihood: () => [0, 0, 0] as const,
  lengths: commands.upload(packLengths(pairs, [lengths.subarray(0, pairs), lengths.subarray(pairs)])),
});

export function residentLogitsLoss(
  gpu: Gpu,
  batch: LogitsBatch & { reference?: Reference | undefined },
  options: LogitsLossOptions,
  ids: GpuIds | undefined,
  check: (plan: Plan) => void,
): GpuLogitsLossResult {
  const plan = planLosses(options);
  check(plan);
  checkResident(plan, options, ["gradLogits"]);
  const job = checkLogitsLoss(batch, plan, options);
  const { list, vocab, logits, reference, gradient, ldAlpha, wpo } = job;
  const { pairs, positions } = list;
  const chosenTokens = list.start[pairs] as number;
  const slopeOf = ({ loss }: Plan["terms"][number]) => ("likelihood" in loss ? loss.likelihood(0, chosenTokens)[1] : 0);
  const { gradScale = 1 } = options;
  const slope = gradScale * plan.terms.reduce((sum, term) => sum + term.weight * slopeOf(term), 0);
  const statistics = wpo || options.metrics === "full";
  const params = { ...paramsOf(list, vocab, ldAlpha, statistics), slope, wpo };

  const placed = place(gpu, logits, vocab);
  const outputs = createOutputs(gpu);
  const perToken = outputs.make(8 * positions);
  const metrics = outputs.make(METRICS_BYTES);
  const results = outputs.make(4 * (RESULTS + 2) * pairs);
  const to = place(gpu, gradient, vocab);
  const other = reference && "logits" in reference ? place(gpu, reference.logits, vocab) : undefined;
  const done = submitLater(gpu, (commands) => {
    const parts = recordTokens(commands, placed.pieces, list, vocab, ids, metrics);
    const policy = recordSequences(commands, gpu, logits.type, parts, list, params, perToken);
    const stage = {
      ...stageOf(commands, plan, params, list),
      scale: gradScale / pairs,
      likelihood: (at: number) => {
        const loss = plan.terms[at]?.loss;
        const perSum = loss && "likelihood" in loss ? loss.likelihood(1, chosenTokens)[0] : 0;
        return [0, 0, perSum] as const;
      },
      policy: policy.sequences,
      start: policy.start,
    };
    const referenceSequences = (): Range => {
      if (other && reference && "logits" in reference) {
        const there = parts.map((part, p) => ({ ...part, piece: other.pieces[p] as Piece }));
        const unused = commands.scratch(8 * positions);
        const plain = { ...params, statistics: false };
        return recordSequences(commands, gpu, reference.logits.type, there, list, plain, unused).sequences;
      }
      const words = new Uint32Array(2 * pairs * SEQUENCE_WORDS);
      const logps = reference && "logps" in reference ? reference.logps : new Float64Array(2 * pairs);
      logps.forEach((x, r) => {
        words.set(summedWords(x), r * SEQUENCE_WORDS);
      });
      return commands.upload(words);
    };
    const pairStage = recordPairStage(commands, { ...stage, reference: referenceSequences() }, metrics);
    const { buffer } = results;
    const own = 4 * RESULTS * pairs;
    commands.copy({ ...pairStage.results, size: own }, { buffer, offset: 0, size: own });
    commands.copy(
      { ...pairStage.inputs, offset: 8 * pairs, size: 8 * pairs },
      { buffer, offset: own, size: 8 * pairs },
    );
    recordGradients(
      commands,
      { list, vocab, params },
      parts,
      placed.pieces,
      to.pieces,
      policy.sums,
      pairStage.results,
      {
        logits: logits.type,
        gradient: gradient.type,
      },
    );
  });
  for (const each of [placed, to, other]) each?.release();
  const { buffer, byteOffset: offset, byteLength: size } = gradient.data as unknown as Record<string, never>;
  return {
    ...pairRanges(results, pairs),
    logps: { buffer: results.buffer, offset: 4 * RESULTS * pairs, size: 8 * pairs },
    ...perTokenRanges(perToken, positions),
    gradLogits: { buffer, offset, size } as unknown as GpuRange,
    metrics,
    done,
    destroy: outputs.destroy,
  };
}

function recordGradients(
  commands: Commands,
  { list, vocab, params }: { list: TokenList; vocab: number; params: BatchParams },
  parts: readonly PieceTokens[],
  pieces: readonly Piece[],
  to: readonly Piece[],
  sums: Range,
  results: Range,
  types: { logits: FloatData["type"]; gradient: FloatData["type"] },
): void {
  const owners = commands.upload(ownersOf(list));
  pieces.forEach((piece, p) => {
    const info = commands.scratch(16 * piece.rows);
    commands.clear(info);
    const part = parts.find((each) => each.piece === piece);
    if (part) {
      const own = uploadParams(commands, { ...params, tokens: part.count, offset: part.from });
      commands.run(tokenGradientsWgsl, groupsOf(part.count), own, part.tokens, owners, sums, results, info);
    }
    recordBackward(commands, types, piece, to[p] as Piece, vocab, info);
  });
}

/** Of each token its sequence · 2, and 1 more where LD-DPO counts it in full. */
function ownersOf({ pairs, start, rows }: TokenList): Uint32Array {
  const owners = new Uint32Array(Math.max(rows.length, 1));
  for (let r = 0; r < 2 * pairs; r++) {
    const [from, to] = [start[r] as number, start[r + 1] as number];
    const partner = r < pairs ? r + pairs : r - pairs;
    const shorter = (start[partner + 1] as number) - (start[partner] as number);
    for (let k = from; k < to; k++) owners[k] = 2 * r + Number(k - from < shorter);
  }
  return owners;
}

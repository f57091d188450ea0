// The whole way from logits to gradients in float64, as losses.md §§2, 5, 6.4, 6.5 and 8 have it, to compare calls with. The
// losses of pairs are those of the js backend, which has golden vectors of its own.

import { createJs } from "../../src/index.ts";
import { type LossType, lossTable } from "../../src/losses/index.ts";
import type { LossOptions, PairLossResult } from "../../src/types.ts";
import { excessOver, magnitude, misses } from "./compare.ts";
import { countingRows, type PaddedLogits } from "./logits.ts";
import { exactLogp, exactRow } from "./logits-exact.ts";
import { rewardMargins } from "./pairs.ts";

const js = createJs();

/** One counting token, in float64. */
interface Token {
  sequence: number;
  row: number;
  id: number;
  logp: number;
  /** Its weight inside the sequence's log-prob. */
  weight: number;
  /** log Σ p² of its row. */
  logSquares: number;
  entropy: number;
  /** Whether the label is the first of the largest logits. */
  hit: boolean;
  /** The mean logit of its row. */
  mean: number;
}

export interface Expected {
  loss: number;
  pairs: PairLossResult;
  logps: Float64Array;
  tokenLogps: Float64Array;
  gradLogits: Float64Array;
  metrics: Record<string, number>;
}

/** Tokens of the padded batch with what their rows of `logits` say. */
function readTokens({ tokens, vocab }: PaddedLogits, logits: Float32Array, ldAlpha: number): Token[] {
  const counting = countingRows(tokens);
  const count = new Int32Array(2 * tokens.pairs);
  for (const { sequence } of counting) count[sequence] = (count[sequence] as number) + 1;
  const seen = new Int32Array(2 * tokens.pairs);
  return counting.map(({ sequence, row, id }) => {
    const from = row * vocab;
    const exact = exactRow(logits, from, vocab);
    const logps = Float64Array.from({ length: vocab }, (_, v) => exactLogp(logits, from, v, exact));
    const partner = (sequence + tokens.pairs) % (2 * tokens.pairs);
    const place = (seen[sequence] as number) + 1;
    seen[sequence] = place;
    const values = logits.subarray(from, from + vocab);
    return {
      sequence,
      row,
      id,
      logp: logps[id] as number,
      weight: place <= Math.min(count[sequence] as number, count[partner] as number) ? 1 : ldAlpha,
      logSquares: Math.log(logps.reduce((sum, logp) => sum + Math.exp(2 * logp), 0)),
      entropy: logps.reduce((sum, logp) => sum - (logp === -Infinity ? 0 : logp * Math.exp(logp)), 0),
      hit: values.indexOf(exact.max) === id,
      mean: values.reduce((sum, x) => sum + x, 0) / vocab,
    };
  });
}

const sumOf = (tokens: readonly Token[], value: (token: Token) => number): number =>
  tokens.reduce((sum, token) => sum + value(token), 0);
const meanOf = (tokens: readonly Token[], value: (token: Token) => number): number =>
  tokens.length > 0 ? sumOf(tokens, value) / tokens.length : 0;

/** Σ over each sequence's tokens. */
function perSequence(tokens: readonly Token[], pairs: number, value: (token: Token) => number): Float64Array {
  const sums = new Float64Array(2 * pairs);
  for (const token of tokens) sums[token.sequence] = (sums[token.sequence] as number) + value(token);
  return sums;
}

type Options = LossOptions & { gradScale?: number };

/** What `logitsLoss` has to give for a padded batch. */
export function expectedOf(batch: PaddedLogits, options: Options): Expected {
  const { tokens, vocab } = batch;
  const { pairs } = tokens;
  const { ldAlpha = 1, weighting, gradScale = 1, lossType = "sigmoid", lossWeights, ...rest } = options;
  const policy = readTokens(batch, batch.logits, ldAlpha);
  const reference = readTokens(batch, batch.reference.logits, ldAlpha);
  const weighted = (list: readonly Token[]) => perSequence(list, pairs, ({ weight, logp }) => weight * logp);
  const [logps, referenceLogps] = [weighted(policy), weighted(reference)];
  const count = perSequence(policy, pairs, () => 1);
  const spread = perSequence(policy, pairs, ({ logp, logSquares }) => logp - logSquares);
  const omega = spread.map((sum, r) => Math.exp(sum / Math.max(count[r] as number, 1)));
  const pairWeights = omega.subarray(0, pairs).map((w, i) => w * (omega[pairs + i] as number));
  const perToken = [lossType]
    .flat()
    .flatMap((id) => (lossTable[id as LossType]?.perToken ? [lossTable[id as LossType]] : []));
  const ofLogps = perToken.some(({ reference: isRelative }) => !isRelative);
  const lengths = Float64Array.from({ length: 2 * pairs }, (_, r) => {
    const mask = tokens.completionMask.subarray(r * tokens.length, (r + 1) * tokens.length);
    // Losses of log-probs per token count those that are predicted.
    return ofLogps ? (count[r] as number) : mask.reduce((sum, bit) => sum + bit, 0);
  });

  // sft is of tokens, not of sequences: apart from the other losses, unless it is alone.
  const types = [lossType].flat();
  const weights = lossWeights ?? types.map(() => 1);
  const isSft = (j: number): boolean => types[j] === "sft";
  const others = types.flatMap((type, j) => (isSft(j) ? [] : [{ type, weight: weights[j] as number }]));
  const sftWeight = weights.reduce((sum, weight, j) => (isSft(j) ? sum + weight : sum), 0);
  const inputs = {
    policyChosen: logps.subarray(0, pairs),
    policyRejected: logps.subarray(pairs),
    referenceChosen: referenceLogps.subarray(0, pairs),
    referenceRejected: referenceLogps.subarray(pairs),
    chosenLengths: lengths.subarray(0, pairs),
    rejectedLengths: lengths.subarray(pairs),
    rewardMargin: rewardMargins(pairs),
    ...(weighting === "wpo" ? { pairWeights } : {}),
  };
  const ratios = js.pairLoss(inputs, {
    ...(others.length > 0 ? { ...rest, gradScale } : { gradScale: 0 }),
    lossType: others.length > 0 ? others.map(({ type }) => type) : "sigmoid",
    lossWeights: others.length > 0 ? others.map(({ weight }) => weight) : [0],
  });
  const chosen = policy.filter(({ sequence }) => sequence < pairs);
  const rejected = policy.filter(({ sequence }) => sequence >= pairs);
  const nll = sftWeight === 0 ? 0 : -sumOf(chosen, ({ logp }) => logp) / chosen.length;

  const gradLogits = new Float64Array(batch.logits.length);
  const tokenLogps = new Float64Array(2 * pairs * tokens.length);
  for (const { sequence, row, id, logp, weight } of policy) {
    tokenLogps[row] = logp;
    const isChosen = sequence < pairs;
    const ofSequence = (isChosen ? ratios.gradChosen[sequence] : ratios.gradRejected[sequence - pairs]) as number;
    const g =
      (weight === 0 ? 0 : ofSequence * weight) -
      (isChosen && sftWeight !== 0 ? (gradScale * sftWeight) / chosen.length : 0);
    const exact = exactRow(batch.logits, row * vocab, vocab);
    for (let v = 0; v < vocab; v++) {
      const p = Math.exp(exactLogp(batch.logits, row * vocab, v, exact));
      gradLogits[row * vocab + v] = g * ((v === id ? 1 : 0) - p);
    }
  }
  return {
    loss: ratios.loss + sftWeight * nll,
    pairs: { ...ratios, losses: ratios.losses.map((loss) => loss + sftWeight * nll) },
    logps,
    tokenLogps,
    gradLogits,
    metrics: {
      ...ratios.metrics,
      entropy: meanOf(policy, ({ entropy }) => entropy),
      mean_token_accuracy: meanOf(chosen, ({ hit }) => Number(hit)),
      "logits/chosen": meanOf(chosen, ({ mean }) => mean),
      "logits/rejected": meanOf(rejected, ({ mean }) => mean),
    },
  };
}

/** Where a padded result misses what is expected, by more than 1e-5 of its largest magnitude. */
export function missesOfExpected(
  got: { loss: number; losses: ArrayLike<number>; logps: ArrayLike<number>; metrics: Record<string, number> },
  tokenLogps: ArrayLike<number>,
  gradLogits: ArrayLike<number>,
  want: Expected,
): string[] {
  const near = (name: string, values: ArrayLike<number>, wanted: ArrayLike<number>, floor: number): string[] => {
    const bound = 1e-5 * magnitude(wanted) + floor;
    return misses(name, values, wanted, (g, w) => excessOver(bound, g, w));
  };
  return [
    ...near("loss", [got.loss], [want.loss], 1e-6),
    ...near("losses", got.losses, want.pairs.losses, 1e-6),
    ...near("logps", got.logps, want.logps, 2e-6),
    ...near("tokenLogps", tokenLogps, want.tokenLogps, 2e-6),
    ...near("gradLogits", gradLogits, want.gradLogits, 1e-8),
    ...Object.entries(want.metrics).flatMap(([key, value]) => near(key, [got.metrics[key] as number], [value], 2e-6)),
  ];
}

// Sequences as pairs: the first half of them are the chosen completions, the second half the rejected ones, in the same order.

import { outOfRange } from "../checks/refusals.ts";
import type { PairEngine, TokenSums } from "../engine.ts";
import type { OwnColumns } from "../inputs/own-columns.ts";
import { checkPairs, type JobOfPairs, likelihoodOf } from "../inputs/pairs.ts";
import type { TokenList } from "../inputs/tokens.ts";
import { product, times } from "../losses/factor.ts";
import { functionOf } from "../losses/own.ts";
import type { Plan } from "../plan/plan.ts";
import type { FloatArray, LogitsLossOptions, PairLossResult } from "../types.ts";
import { eachToken, type Forward, newSums, type Tail } from "./sequences.ts";

const chosenTokens = ({ start, pairs }: TokenList): number => start[pairs] as number;

/** Room for the sums of the tokens; accuracy is that of the chosen completions. */
export const newPairSums = (list: TokenList, statistics: boolean): TokenSums =>
  newSums(list, chosenTokens(list), statistics);

/**
 * LD-DPO: as many tokens as the shorter completion of the pair has count in full, the rest of the longer one counts α.
 * Paper     Liu et al. 2024, arXiv:2409.06411; TRL weighs policy and reference alike. Twin: src/backends/webgpu/sequences.wgsl.ts
 */
export function tailOf({ pairs, start }: TokenList, alpha: number): Tail | undefined {
  if (alpha === 1) return undefined;
  const tokens = (r: number): number => (start[r + 1] as number) - (start[r] as number);
  const shorter = (r: number): number => Math.min(tokens(r), tokens(r < pairs ? r + pairs : r - pairs));
  return { full: Int32Array.from({ length: 2 * pairs }, (_, r) => shorter(r)), alpha };
}

/**
 * WPO's weight of each pair: e to the mean over tokens of logp − log Σp², chosen times rejected; a constant for differentiation.
 * Paper     Zhou et al. 2024, arXiv:2406.11827
 */
function wpoWeights({ pairs, start }: TokenList, { spread }: Forward): Float64Array {
  const mean = (r: number): number =>
    (spread[r] as number) / Math.max((start[r + 1] as number) - (start[r] as number), 1);
  return Float64Array.from({ length: pairs }, (_, i) => product(Math.exp(mean(i)), Math.exp(mean(i + pairs))));
}

/** What the pair stage takes beside the policy's log-probs. */
interface PairInputs {
  readonly reference: FloatArray | undefined;
  readonly wpo: boolean;
  readonly columns: OwnColumns;
}

/**
 * What losses per token divide by: completions' tokens; for those of log-probs, which are TRL's CPO and ORPO trainers', less the first
 * of a completion that nothing comes before, since nothing predicts it.
 *
 * Throws    ParamError where a list of losses would divide by both, and they differ
 */
export function lengthsOf({ terms }: Plan, { start, lengths }: TokenList): Float64Array {
  const perToken = terms.filter(({ loss }) => loss.perToken);
  const ofLogps = perToken.find(({ loss }) => !loss.reference)?.loss.id;
  if (ofLogps === undefined) return lengths;
  const predicted = lengths.map((_, r) => (start[r + 1] as number) - (start[r] as number));
  const ofRatios = perToken.find(({ loss }) => loss.reference)?.loss.id;
  const at = ofRatios === undefined ? -1 : predicted.findIndex((length, r) => length !== lengths[r]);
  if (at < 0) return predicted;
  throw outOfRange(
    "lossType",
    `${ofRatios} and ${ofLogps} apart`,
    `both for a completion whose first token nothing predicts (row ${at})`,
  );
}

/** The pair stage's job: sequence sums stay in float64 until here, so that log-ratios are formed in it. */
export function pairJobOf(
  plan: Plan,
  list: TokenList,
  policy: Forward,
  { reference, wpo, columns }: PairInputs,
  { out, gradScale, metrics }: LogitsLossOptions,
  { scan }: PairEngine,
): JobOfPairs {
  const { pairs } = list;
  const lengths = lengthsOf(plan, list);
  const half = <A extends FloatArray>(array: A, from: number): A => array.subarray(from, from + pairs) as A;
  const inputs = {
    policyChosen: half(policy.logps, 0),
    policyRejected: half(policy.logps, pairs),
    ...(reference && { referenceChosen: half(reference, 0), referenceRejected: half(reference, pairs) }),
    chosenLengths: half(lengths, 0),
    rejectedLengths: half(lengths, pairs),
    ...columns,
    ...(wpo && { pairWeights: wpoWeights(list, policy) }),
  };
  const { losses, gradChosen, gradRejected, chosenRewards, rejectedRewards } = out ?? {};
  const buffers = { losses, gradChosen, gradRejected, chosenRewards, rejectedRewards };
  // The likelihood's slope goes to its tokens, not to the sequences: LD-DPO must not weigh it.
  const tokens = chosenTokens(list);
  const values = plan.terms.map((_, at) => likelihoodOf(plan, at, policy.likelihood, tokens)[0]);
  const likelihood = (at: number) => [values[at] ?? 0, 0] as const;
  return checkPairs(inputs, plan, { gradScale, metrics, out: buffers }, scan, likelihood);
}

/** The NLL of the chosen completions, where a loss asks for it; 0 elsewhere. */
export function completionNllOf({ terms }: Plan, { likelihood }: Forward, list: TokenList): number {
  return terms.some(({ loss }) => loss.kind === "likelihood") ? -likelihood / chosenTokens(list) : 0;
}

/** What the likelihood losses add to the gradient of every chosen token's log-prob. */
export function likelihoodSlope({ terms }: Plan, { likelihood }: Forward, list: TokenList): number {
  const tokens = chosenTokens(list);
  let slope = 0;
  for (const { loss, weight } of terms)
    if (loss.kind === "likelihood") slope += times(weight, functionOf(loss)(likelihood, tokens)[1]);
  return slope;
}

/** dloss / d log p of each token, from those of the pairs' sequences; `slope` is added for every chosen token. */
export function tokenGradients(
  list: TokenList,
  tail: Tail | undefined,
  { gradChosen, gradRejected }: Pick<PairLossResult, "gradChosen" | "gradRejected">,
  slope: number,
): Float64Array {
  const { pairs, rows } = list;
  const gradients = new Float64Array(rows.length);
  eachToken(list, tail, (k, r, factor) => {
    const g = (r < pairs ? gradChosen[r] : gradRejected[r - pairs]) as number;
    gradients[k] = times(factor, g) + (r < pairs ? slope : 0);
  });
  return gradients;
}

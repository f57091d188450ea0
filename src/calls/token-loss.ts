// The middle of every loss that sees tokens: forward to sequence log-probs, the pair stage on B numbers, back to each token.
// Losses of pairs know a token's gradient only once its whole sequence is summed. Logits and hidden states differ in how tokens
// are read, and in nothing else.

import type { Engine, MaybePromise, PairEngine, TokenSums } from "../engine.ts";
import { noSums } from "../inputs/pair-sums.ts";
import type { ReferenceData } from "../inputs/reference.ts";
import type { TokenList } from "../inputs/tokens.ts";
import { times } from "../losses/factor.ts";
import { isOwn } from "../losses/own.ts";
import type { Plan } from "../plan/plan.ts";
import type { LogitsLossOptions, PairLossResult, SequenceLogpsResult } from "../types.ts";
import { shiftPairs, toResult } from "./pair-loss.ts";
import { likelihoodSlope, newPairSums, pairJobOf, tailOf, tokenGradients } from "./pair-sequences.ts";
import { readSequences, sequenceSums } from "./sequences.ts";
import type { Steps } from "./steps.ts";

/** How one call reads its tokens, and takes their gradients further. */
export interface TokenPasses<S extends MaybePromise = MaybePromise> {
  read(sums: TokenSums): S;
  /** The reference's tokens, where another model's are read. Memory is made sure of before it is made. */
  readonly readReference?: ((sums: TokenSums) => S) | undefined;
  /** `g` is dloss / d log p(target) of each token. */
  gradient(g: Float64Array, sums: TokenSums): S;
}

/** What a loss of tokens knows of its checked batch. */
export interface TokenLossJob {
  readonly list: TokenList;
  /** V */
  readonly vocab: number;
  /** LD-DPO's α; 1 is off. */
  readonly ldAlpha: number;
  readonly wpo: boolean;
  readonly reference: ReferenceData | undefined;
}

/**
 * Reads the reference's tokens: another model's logits, or hidden states through its head; undefined where its log-probs are given,
 * or none are needed. Memory is made sure of now.
 */
export function referenceReader<H, S extends MaybePromise>(
  { logits, head }: Pick<Engine<H, S>, "logits" | "head">,
  { reference, list, vocab }: TokenLossJob,
): ((sums: TokenSums) => S) | undefined {
  if (!reference || "logps" in reference) return undefined;
  if ("logits" in reference) {
    const { rows, targets, positions } = list;
    const given = { ...reference, vocab, rows, targets, positions };
    return (sums) => logits.read(given, sums, false);
  }
  const opened = head.open(reference.head, list, vocab, true);
  return (sums) => head.read(opened, sums, false);
}

/** Forward, pair stage, backward. */
export function* tokenLoss<S extends MaybePromise>(
  engine: { readonly pairs: PairEngine<S> },
  job: TokenLossJob,
  passes: TokenPasses<S>,
  plan: Plan,
  options: LogitsLossOptions,
): Steps<PairLossResult & SequenceLogpsResult, S> {
  const { list, vocab, ldAlpha, wpo, reference } = job;
  const tail = tailOf(list, ldAlpha);
  const sums = newPairSums(list, options.metrics === "full" || wpo);
  yield passes.read(sums);
  // A function of the user's may throw, and nothing may be written then.
  const { out } = options;
  const isLate = out !== undefined && plan.terms.some(({ loss }) => isOwn(loss));
  const policy = readSequences(list, vocab, sums, tail, isLate ? { ...options, out: undefined } : options);
  let referenceLogps = reference && "logps" in reference ? reference.logps : undefined;
  if (passes.readReference) {
    const referenceSums = newPairSums(list, false);
    yield passes.readReference(referenceSums);
    referenceLogps = sequenceSums(list, referenceSums, tail);
  }
  const slope = times(options.gradScale ?? 1, likelihoodSlope(plan, policy, list));
  const given = pairJobOf(plan, list, policy, referenceLogps, wpo, options, engine.pairs);
  const { job: pairs, commit } = shiftPairs(given, engine.pairs.scan);
  const pairSums = noSums();
  yield engine.pairs.compute(pairs, pairSums);
  const result = toResult(pairs, pairSums);
  if (isLate) for (const name of ["logps", "tokenLogps", "logsumexp"] as const) out[name]?.set(policy[name]);
  yield passes.gradient(tokenGradients(list, tail, result, slope), sums);
  commit();
  options.onProgress?.(list.rows.length, list.rows.length);
  const { logps, tokenLogps, logsumexp, metrics } = policy;
  return { ...result, logps, tokenLogps, logsumexp, metrics: { ...result.metrics, ...metrics } };
}

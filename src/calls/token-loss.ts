// The middle of every loss that sees tokens: forward to sequence log-probs, the pair stage on B numbers, back to each token.
// Losses of pairs know a token's gradient only once its whole sequence is summed. Logits and hidden states differ in how tokens
// are read, and in nothing else.

import type { Engine, MaybePromise, PairEngine, TokenSums } from "../engine.ts";
import { noSums, type PairSums } from "../inputs/pair-sums.ts";
import type { PairJob } from "../inputs/pairs.ts";
import type { TokenLossJob } from "../inputs/token-loss.ts";
import { times } from "../losses/factor.ts";
import { isOwn } from "../losses/own.ts";
import type { Plan } from "../plan/plan.ts";
import type {
  LogitsLossOptions,
  PairLossResult,
  RowBuffers,
  SequenceLogpsResult,
  UnpairedLossResult,
} from "../types.ts";
import { shiftPairs, toResult } from "./pair-loss.ts";
import { completionNllOf, likelihoodSlope, newPairSums, pairJobOf, tailOf, tokenGradients } from "./pair-sequences.ts";
import { newPromptSums, promptNll, takeOwn, withPrompts } from "./prompt-nll.ts";
import { rowJobOf } from "./row-sequences.ts";
import { newSums, readSequences, sequenceSums } from "./sequences.ts";
import type { Steps } from "./steps.ts";
import { shiftRows, toRowResult } from "./unpaired-loss.ts";

/** How one call reads its tokens, and takes their gradients further. */
export interface TokenPasses<S extends MaybePromise = MaybePromise> {
  read(sums: TokenSums): S;
  /** The reference's tokens, where another model's are read. Memory is made sure of before it is made. */
  readonly readReference?: ((sums: TokenSums) => S) | undefined;
  /** `g` is dloss / d log p(target) of each token. */
  gradient(g: Float64Array, sums: TokenSums): S;
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

/** The options of a loss of tokens that are pairs, or rows. */
type TokenLossOptions = Omit<LogitsLossOptions, "out"> & {
  out?: (NonNullable<LogitsLossOptions["out"]> & RowBuffers) | undefined;
};

/** The pair stage of one call, and what comes of it. */
interface Stage {
  readonly job: PairJob;
  /** What the likelihood losses add to the gradient of every chosen token. */
  readonly slope: number;
  readonly commit: () => void;
  end(sums: PairSums): {
    readonly result: PairLossResult | UnpairedLossResult;
    readonly gradients: Pick<PairLossResult, "gradChosen" | "gradRejected">;
  };
}

const stageOfPairs = ({ job, commit }: ReturnType<typeof shiftPairs>, slope: number): Stage => ({
  job,
  slope,
  commit,
  end(sums) {
    const result = toResult(job, sums);
    return { result, gradients: result };
  },
});

const stageOfRows = ({ job, commit }: ReturnType<typeof shiftRows>): Stage => ({
  job,
  slope: 0,
  commit,
  end(sums) {
    const result = toRowResult(job, sums);
    return { result, gradients: { gradChosen: result.grad, gradRejected: result.grad } };
  },
});

/** Forward, pair stage, backward. */
export function* tokenLoss<S extends MaybePromise>(
  engine: { readonly pairs: PairEngine<S> },
  job: TokenLossJob,
  passes: TokenPasses<S>,
  plan: Plan,
  options: TokenLossOptions,
): Steps<(PairLossResult | UnpairedLossResult) & SequenceLogpsResult, S> {
  const { list, vocab, ldAlpha, wpo, rows, reference, columns, prompts } = job;
  const tail = rows ? undefined : tailOf(list, ldAlpha);
  const newTokenSums = (statistics: boolean): TokenSums =>
    rows ? newSums(list, list.rows.length, statistics) : newPairSums(list, statistics);
  const statistics = options.metrics === "full" || wpo;
  const sums = newTokenSums(statistics);
  const allSums = prompts ? newPromptSums(prompts, statistics) : sums;
  yield passes.read(allSums);
  if (prompts) takeOwn(prompts, allSums, sums);
  // A function of the user's may throw, and nothing may be written then.
  const { out } = options;
  const isLate = out !== undefined && plan.terms.some(({ loss }) => isOwn(loss));
  const forward = { ...options, desirable: rows?.desirable };
  const policy = readSequences(list, vocab, sums, tail, isLate ? { ...forward, out: undefined } : forward);
  let referenceLogps = reference && "logps" in reference ? reference.logps : undefined;
  if (passes.readReference) {
    const referenceSums = newTokenSums(false);
    yield passes.readReference(referenceSums);
    referenceLogps = sequenceSums(list, referenceSums, tail);
  }
  const given = { reference: referenceLogps, wpo, columns };
  const stage = rows
    ? stageOfRows(shiftRows(rowJobOf(plan, list, rows, policy, referenceLogps, options, engine.pairs)))
    : stageOfPairs(
        shiftPairs(pairJobOf(plan, list, policy, given, options, engine.pairs), engine.pairs.scan),
        times(options.gradScale ?? 1, likelihoodSlope(plan, policy, list)),
      );
  const pairSums = noSums();
  yield engine.pairs.compute(stage.job, pairSums);
  const { result, gradients } = stage.end(pairSums);
  if (isLate) for (const name of ["logps", "tokenLogps", "logsumexp"] as const) out[name]?.set(policy[name]);
  const slopes = tokenGradients(list, tail, gradients, stage.slope);
  const rowNll = times(options.gradScale ?? 1, plan.rowNll);
  yield passes.gradient(prompts ? withPrompts(prompts, slopes, rowNll) : slopes, allSums);
  stage.commit();
  options.onProgress?.(list.rows.length, list.rows.length);
  const { logps, tokenLogps, logsumexp, metrics } = policy;
  const nll = prompts ? promptNll(prompts, allSums) : 0;
  if (prompts) {
    const { losses } = result;
    const added = times(plan.rowNll, nll);
    result.loss += added;
    for (let i = 0; i < list.pairs; i++) losses[i] = (losses[i] as number) + added;
  }
  const logged = plan.logged && { nll_loss: plan.logged === "row" ? nll : completionNllOf(plan, policy, list) };
  return { ...result, logps, tokenLogps, logsumexp, metrics: { ...result.metrics, ...metrics, ...logged } };
}

// What a loss is, in types: one plain function of log-ratios and hyperparameters, and what it says of itself.

import type { OwnColumn } from "./columns.ts";
import type { Param } from "./ranges.ts";

/** What every loss says of itself. */
export interface LossInfo {
  /** TRL's name. */
  readonly id: string;
  /** What the loss does, in a phrase. */
  readonly title: string;
  /** The hyperparameters in the order in which the function takes them, after its first arguments. */
  readonly params: Readonly<Record<string, Param>>;
}

/** What losses of single pairs may say beside that. */
interface OfPairs extends LossInfo {
  /** The log-ratios are divided by completion length: needs `chosenLengths`, `rejectedLengths`. */
  readonly normalised?: true;
  /** There is no reference in it: its log-ratios are the policy's own log-probs. */
  readonly reference?: false;
  /**
   * The negative log-likelihood that goes with it where tokens are at hand: of the chosen completions, `cpoAlpha` times; or of the
   * chosen rows, prompts included, unless `nll` is false.
   */
  readonly nll?: "completion" | "row";
  /** Inputs of its own, which its function takes before the hyperparameters. */
  readonly columns?: readonly OwnColumn[];
}

/**
 * A loss of one number per pair, the margin `d`: the difference of the two log-ratios (or of their scores, under an
 * f-divergence). The function returns `[loss, dLoss/dd]`.
 */
export interface MarginLoss extends OfPairs {
  readonly margin: (d: number, ...params: number[]) => readonly [loss: number, slope: number];
  /**
   * The margins are formed after sorting across the batch: `"margins"` sorts policy and reference margins, `"ratios"` sorts
   * chosen and rejected log-ratios, each on its own.
   */
  readonly sorted?: "margins" | "ratios";
}

/** A loss of the two log-ratios `a` (chosen) and `c` (rejected). The function returns `[loss, dLoss/da, dLoss/dc]`. */
export interface PairLoss extends OfPairs {
  readonly pair: (a: number, c: number, ...params: number[]) => readonly [loss: number, da: number, dc: number];
}

/**
 * A loss of the chosen completions' likelihood, one number for the batch: no log-ratios, no reference. The function takes
 * the sum of the policy's log-probs and the number of tokens, and returns `[loss, dLoss/dsum]`.
 */
export interface LikelihoodLoss extends LossInfo {
  readonly likelihood: (sum: number, tokens: number) => readonly [loss: number, slope: number];
}

/**
 * A loss of single rows: the log-ratio `r` of a completion, and `desirable`, 1 where it is one to learn and 0 where it is one to
 * unlearn. The function returns `[loss, dLoss/dr]`. A hyperparameter named `kl` is the batch's: see `kto`.
 */
export interface RowLoss extends LossInfo {
  readonly row: (r: number, desirable: number, ...params: number[]) => readonly [loss: number, slope: number];
}

export type Loss = MarginLoss | PairLoss | LikelihoodLoss | RowLoss;

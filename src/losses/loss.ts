// What a loss is, in types: one plain function of log-ratios and hyperparameters, and what it says of itself.

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

/**
 * A loss of one number per pair, the margin `d`: the difference of the two log-ratios (or of their scores, under an
 * f-divergence). The function returns `[loss, dLoss/dd]`.
 */
export interface MarginLoss extends LossInfo {
  readonly margin: (d: number, ...params: number[]) => readonly [loss: number, slope: number];
  /** `d` is the difference of log-ratios divided by completion length: needs `chosenLengths`, `rejectedLengths`. */
  readonly normalised?: true;
  /**
   * The margins are formed after sorting across the batch: `"margins"` sorts policy and reference margins, `"ratios"` sorts
   * chosen and rejected log-ratios, each on its own.
   */
  readonly sorted?: "margins" | "ratios";
}

/** A loss of the two log-ratios `a` (chosen) and `c` (rejected). The function returns `[loss, dLoss/da, dLoss/dc]`. */
export interface PairLoss extends LossInfo {
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

// What losses without a reference log where there is none: rewards of the very numbers that they take, and ORPO's odds. Printed as
// kernels, as margins are; the first result of the rewards is nothing.

import { log1mexpDiff, logsigmoid } from "../losses/math.ts";
import type { Margin } from "./divergences.ts";

/** What a loss takes in place of log-ratios: log-probs, or their means over tokens; AlphaPO shapes them by k = −α. */
export interface Argument {
  readonly perToken: boolean;
  readonly k: number;
}

/** Log-probs per token. */
export const ownMeans: Margin = (a, c, chosenLength, rejectedLength) => {
  return [0, a * (1 / Math.max(chosenLength, 1)), c * (1 / Math.max(rejectedLength, 1))];
};

/** AlphaPO's rewards of what its loss takes, in units of β: (e^(ks) − 1) / k. */
export const ownRewards: Margin = (s, t, _chosenLength, _rejectedLength, k) => {
  return [0, Math.expm1(k * s) * (1 / k), Math.expm1(k * t) * (1 / k)];
};

/** The log-odds ratio of the means, and log σ of it. */
export const logOdds: Margin = (a, c, chosenLength, rejectedLength) => {
  const s = a * (1 / Math.max(chosenLength, 1));
  const t = c * (1 / Math.max(rejectedLength, 1));
  const o = s - t + log1mexpDiff(s, t);
  return [o, logsigmoid(o), 0];
};

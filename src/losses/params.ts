// The hyperparameters that losses share, with TRL's defaults and the ranges that the formulas bear.

import { between, finite, type Param, positive } from "./ranges.ts";

/** Strength of the pull to the reference. */
export const beta = positive(0.1);

/** Probability that a pair's labels are flipped. */
export const labelSmoothing = between(0, 0.5, 0);

/** Temperature of the blend of discopop. */
export const discopopTau = positive(0.05);

/** What bco_pair subtracts from the rewards. */
export const rewardShift = finite(0);

/** What the losses of desirable and of undesirable rows are multiplied with. */
export const desirableWeight = between(0, Infinity, 1, "max");
export const undesirableWeight = between(0, Infinity, 1, "max");

/** k of KTO: no option, the batch gives it. */
export const kl = finite(0);
/** What SimPO subtracts from the β-scaled margin. */
export const simpoGamma = finite(0.5);

/** The shape of AlphaPO's rewards, r(s) = (1 − e^(−αs)) / α; 0 leaves log-probs as they are. */
export const alphapoAlpha = finite(0);

/** The weight of the NLL beside CPO's losses. */
export const cpoAlpha = between(0, Infinity, 0, "max");

/** The weight of DPO-Positive's penalty. */
export const dpopLambda = between(0, Infinity, 50, "max");

/** The value of each hyperparameter that means "not asked for". */
export const sharedParams: Readonly<Record<string, Param>> = {
  beta,
  labelSmoothing,
  discopopTau,
  rewardShift,
  desirableWeight,
  undesirableWeight,
  simpoGamma,
  alphapoAlpha,
  dpopLambda,
};

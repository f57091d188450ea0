// The hyperparameters that losses share, with TRL's defaults and the ranges that the formulas bear.

import { between, positive } from "./define.ts";

/** Strength of the pull to the reference. */
export const beta = positive(0.1);

/** Probability that a pair's labels are flipped. */
export const labelSmoothing = between(0, 0.5, 0);

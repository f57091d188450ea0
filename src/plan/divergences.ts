// Margins of a pair: the difference of the scores f(log-ratio) under each f-divergence, with both derivatives.
//
// A margin function takes the log-ratios and the two lengths that divide the scores (1 for losses that do not normalise),
// then the divergence's constants, and returns [d, dd/da, dd/dc]. It is printed as a kernel like the losses are.
// Constants of the scores cancel in their difference unless each is divided by a length of its own. Losses per token take the
// "anchored" forms, whose scores are 0 at r = 0, as in the paper and in TRL since v1.10; earlier versions dropped the constants.
// Paper     Wang et al. 2023, "Beyond Reverse KL", arXiv:2309.16240

import { sigmoid, softplus } from "../losses/math.ts";

export type Margin = (
  a: number,
  c: number,
  chosenLength: number,
  rejectedLength: number,
  ...constants: number[]
) => readonly [d: number, da: number, dc: number];

/** f(r) = r: the difference of log-ratios. An empty completion counts as one token. */
export const reverseKl: Margin = (a, c, chosenLength, rejectedLength) => {
  const perChosen = 1 / Math.max(chosenLength, 1);
  const perRejected = 1 / Math.max(rejectedLength, 1);
  return [a * perChosen - c * perRejected, perChosen, -perRejected];
};

/**
 * f(r) = log σ(r).
 *
 * Where the log-ratios are close, softplus(−c) − softplus(−a) = log1p(σ(−a)·expm1(a − c)) keeps the digits that the
 * difference would lose, and a large β bring to light.
 */
export const jsDivergence: Margin = (a, c, chosenLength, rejectedLength) => {
  const perChosen = 1 / Math.max(chosenLength, 1);
  const perRejected = 1 / Math.max(rejectedLength, 1);
  const gap = a - c;
  const ratio = Math.max(Math.min(sigmoid(-a) * Math.expm1(gap), 1), -0.5);
  const near = Math.log1p(ratio) * perRejected + softplus(-a) * (perRejected - perChosen);
  const far = softplus(-c) * perRejected - softplus(-a) * perChosen;
  return [Math.abs(gap) < 0.6 ? near : far, sigmoid(-a) * perChosen, -sigmoid(-c) * perRejected];
};

/**
 * f(r) = e^t / k, t = min(k·r, cap): the α-divergence with k = α − 1, the forward KL with k = −1 and no cap. The margin comes
 * out times `unit`, its derivatives times `slopeUnit`: src/backends/js/diverged.ts says which.
 *
 * Powers that may leave float32 are squares of e^(t/2), each factor applied on its own: their products with β, 1/n and the
 * loss's slope may still lie within.
 *
 * The larger power is taken out of the difference, e^M·(1/n − e^−|s−t|/m) or the mirror image: an overflow is ±∞, not ∞ − ∞.
 * Where the powers are close, expm1 keeps the digits that the difference would lose (near α = 1, or a ≈ c); where they are
 * far apart it would lose those of the smaller 1/n. The slope is 0 from the cap on, as TRL's is.
 * The bounds of ±1e30 change no power, e^±1e30 being ∞ and 0 already; they keep ∞ − ∞ out of the exponents.
 */
export const powerDivergence: Margin = (a, c, chosenLength, rejectedLength, k, cap, unit, slopeUnit) => {
  const perChosen = 1 / Math.max(chosenLength, 1);
  const perRejected = 1 / Math.max(rejectedLength, 1);
  const s = Math.max(Math.min(k * a, Math.min(cap, 1e30)), -1e30);
  const t = Math.max(Math.min(k * c, Math.min(cap, 1e30)), -1e30);
  const gap = s - t;
  const fall = Math.exp(-Math.abs(gap));
  const drop = Math.expm1(-Math.abs(gap));
  const far = gap >= 0 ? perChosen - fall * perRejected : fall * perChosen - perRejected;
  const near = perChosen - perRejected + (gap >= 0 ? -drop * perRejected : drop * perChosen);
  const rest = Math.abs(gap) < 0.7 ? near : far;
  const chosenRoot = Math.exp(0.5 * s);
  const rejectedRoot = Math.exp(0.5 * t);
  const root = Math.max(chosenRoot, rejectedRoot);
  const most = Math.max(s, t);
  const scaled = rest * (unit / k);
  return [
    rest === 0 ? 0 : most > 80 ? root * (root * scaled) : Math.exp(most) * scaled,
    s >= cap ? 0 : chosenRoot * (chosenRoot * (perChosen * slopeUnit)),
    t >= cap ? 0 : -(rejectedRoot * (rejectedRoot * (perRejected * slopeUnit))),
  ];
};

/**
 * f(s) = e^(k·s) / k, AlphaPO's reward of a log-prob up to a constant, in the units of `powerDivergence`: its form where nothing caps the
 * exponent and no length divides the scores, so that expm1 alone makes the difference, at any distance, and its powers are those of the
 * slopes.
 */
export const alphapoRewards: Margin = (a, c, _chosenLength, _rejectedLength, k, unit, slopeUnit) => {
  const s = Math.max(Math.min(k * a, 1e30), -1e30);
  const t = Math.max(Math.min(k * c, 1e30), -1e30);
  const gap = s - t;
  const drop = Math.expm1(-Math.abs(gap));
  const chosenRoot = Math.exp(0.5 * s);
  const rejectedRoot = Math.exp(0.5 * t);
  const root = Math.max(chosenRoot, rejectedRoot);
  const scaled = (gap >= 0 ? -drop : drop) * (unit / k);
  return [
    drop === 0 ? 0 : root * (root * scaled),
    chosenRoot * (chosenRoot * slopeUnit),
    -(rejectedRoot * (rejectedRoot * slopeUnit)),
  ];
};

// Scores of log-ratios per token, in place of scores per token. Twin: marginKernel of src/print/kernel.ts
const ofMeans =
  (margin: Margin): Margin =>
  (a, c, chosenLength, rejectedLength, ...constants) => {
    const [, perChosen, perRejected] = reverseKl(a, c, chosenLength, rejectedLength);
    const [d, da, dc] = margin(a * perChosen, c * -perRejected, 1, 1, ...constants);
    return [d, da * perChosen, dc * -perRejected];
  };

/**
 * f(r) = log 2 + log σ(r).
 *
 * With the smaller of 1/n and 1/m times the difference of the scores, only the rest of the larger one is left to be multiplied
 * with a score: nothing cancels that does not cancel in the margin itself. Near 0 a score is −log1p(expm1(−r)/2), which keeps
 * the digits that log 2 − softplus(−r) would lose.
 */
export const jsAnchored: Margin = (a, c, chosenLength, rejectedLength) => {
  const perChosen = 1 / Math.max(chosenLength, 1);
  const perRejected = 1 / Math.max(rejectedLength, 1);
  const gap = a - c;
  const ratio = Math.max(Math.min(sigmoid(-a) * Math.expm1(gap), 1), -0.5);
  const difference = Math.abs(gap) < 0.6 ? Math.log1p(ratio) : softplus(-c) - softplus(-a);
  const rest = perChosen - perRejected;
  const r = rest < 0 ? c : a;
  const half = Math.max(Math.min(0.5 * Math.expm1(-r), 1), -0.5);
  const score = Math.abs(r) < 1 ? -Math.log1p(half) : Math.log(2) - softplus(-r);
  const margin = difference * Math.min(perChosen, perRejected);
  return [rest === 0 ? margin : margin + score * rest, sigmoid(-a) * perChosen, -sigmoid(-c) * perRejected];
};

/**
 * f(r) = (e^t − 1) / k, t = min(k·r, cap), in the units of `powerDivergence`.
 *
 * The difference of the powers is e^M·expm1(−|s−t|), which keeps its digits at any distance, and is put together with the rest
 * as in `jsAnchored`. Where e^M leaves float32 the constants are nothing beside it.
 */
export const powerAnchored: Margin = (a, c, chosenLength, rejectedLength, k, cap, unit, slopeUnit) => {
  const perChosen = 1 / Math.max(chosenLength, 1);
  const perRejected = 1 / Math.max(rejectedLength, 1);
  const s = Math.max(Math.min(k * a, Math.min(cap, 1e30)), -1e30);
  const t = Math.max(Math.min(k * c, Math.min(cap, 1e30)), -1e30);
  const gap = s - t;
  const drop = Math.expm1(-Math.abs(gap));
  const shared = (gap >= 0 ? -drop : drop) * Math.min(perChosen, perRejected);
  const rest = perChosen - perRejected;
  const u = rest < 0 ? t : s;
  const chosenRoot = Math.exp(0.5 * s);
  const rejectedRoot = Math.exp(0.5 * t);
  const root = Math.max(chosenRoot, rejectedRoot);
  const most = Math.max(s, t);
  const far = (shared + Math.exp(u - most) * rest) * (unit / k);
  const near = (Math.exp(most) * shared + Math.expm1(u) * rest) * (unit / k);
  return [
    most > 80 ? (far === 0 ? 0 : root * (root * far)) : near,
    s >= cap ? 0 : chosenRoot * (chosenRoot * (perChosen * slopeUnit)),
    t >= cap ? 0 : -(rejectedRoot * (rejectedRoot * (perRejected * slopeUnit))),
  ];
};

/** The margins that are printed as kernels, by name. */
export const margins = {
  js: jsDivergence,
  js_anchored: jsAnchored,
  power: powerDivergence,
  power_anchored: powerAnchored,
  /** AlphaPO's, of sums and of means. */
  alphapo: alphapoRewards,
  alphapo_mean: ofMeans(alphapoRewards),
} as const satisfies Readonly<Record<string, Margin>>;

export type DivergenceId = keyof typeof margins;

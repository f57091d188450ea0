// The functions that a loss definition may call beside Math.abs, exp, expm1, log, log1p, max and min.
// Twin of assembly/math.ts. All are stable for any argument: one exponential of -|x|, never of +|x|.

/**
 * 1 / (1 + e^-x). Write `sigmoid(-x)` for 1 - sigmoid(x): the difference has no correct digit once x is large.
 *
 * @example  import { logsigmoid, sigmoid, softplus } from "dpo-kernels";
 *
 *           console.log(1 - sigmoid(40), sigmoid(-40) > 0); // 0 true
 *           console.log(softplus(1000), logsigmoid(-1000)); // 1000 -1000
 */
export function sigmoid(x: number): number {
  const e = Math.exp(-Math.abs(x));
  return (x >= 0 ? 1 : e) / (1 + e);
}

/** log(1 + e^x). */
export function softplus(x: number): number {
  return Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));
}

/** log(sigmoid(x)) = -softplus(-x). */
export function logsigmoid(x: number): number {
  return Math.min(x, 0) - Math.log1p(Math.exp(-Math.abs(x)));
}

/** softplus(log x) = log(1 + x), x ≥ 0; NaN where it is less. */
export function softplusLog(x: number): number {
  return Math.log1p(x < 0 ? -2 : x);
}

/**
 * log(1 − e^c) − log(1 − e^a), of two log-probs; NaN where one is positive. A quotient by −0 loses its sign.
 *
 * The difference is one logarithm, of a quotient of expm1; the branches of a single log(1 − e^u) would not pay.
 */
export function log1mexpDiff(a: number, c: number): number {
  const above = -Math.expm1(c);
  const below = -Math.expm1(a);
  return Math.log(Math.min(below, above) < 0 ? -1 : Math.abs(above / below));
}

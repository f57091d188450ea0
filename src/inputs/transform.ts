// What models do to their logits before anything looks at them: logitScale, logitSoftcap, temperature.

import { checkNumber } from "../checks/numbers.ts";
import { outOfRange } from "../checks/refusals.ts";
import type { LogitOptions } from "../types.ts";

/** z = inner·x, or outer·tanh(inner·x) where outer is not 0. Twin of assembly/transform.ts. */
export interface Transform {
  readonly inner: number;
  readonly outer: number;
}

const isNormal = (x: number): boolean => x >= 2 ** -126 && Math.fround(x) < Infinity;

/**
 * The transform that the options of a call ask for; undefined where logits stay as they are.
 *
 * Throws    KindError, ParamError
 */
export function readTransform({ logitScale = 1, logitSoftcap, temperature = 1 }: LogitOptions): Transform | undefined {
  for (const [name, value] of Object.entries({ logitScale, logitSoftcap, temperature })) {
    if (value === undefined) continue;
    checkNumber(value, name);
    if (value > 0) continue;
    throw outOfRange(name, "a number > 0", value);
  }
  const whole = logitScale / temperature;
  const inner = logitSoftcap === undefined ? whole : logitScale / logitSoftcap;
  const outer = logitSoftcap === undefined ? 0 : logitSoftcap / temperature;
  if (!isNormal(whole) || !isNormal(inner) || !(outer === 0 || isNormal(outer))) {
    const name = logitSoftcap === undefined ? "logitScale / temperature" : "logitScale, logitSoftcap, temperature";
    throw outOfRange(name, "quotients within float32", `${whole}, ${inner}`);
  }
  return inner === 1 && outer === 0 ? undefined : { inner, outer };
}

/** A logit after its transform. */
export const transformed = ({ inner, outer }: Transform, x: number): number =>
  outer === 0 ? inner * x : outer * Math.tanh(inner * x);

/** The gradient with respect to a logit, from that with respect to `z`, what it became. A slope of 0 wins against ∞, not against NaN. */
export function throughTransform({ inner, outer }: Transform, z: number, gradient: number): number {
  const t = outer === 0 ? 0 : z / outer;
  const slope = (outer === 0 ? inner : inner * outer) * (1 - t) * (1 + t);
  return slope === 0 && !Number.isNaN(gradient) ? 0 : slope * gradient;
}

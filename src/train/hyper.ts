// Reading hyperparameters of optimisers: PyTorch's names, defaults and ranges.

import { KindError, ParamError } from "../errors.ts";
import { kindOf } from "../kinds.ts";
import { inRange, type Param, rangeText } from "../losses/define.ts";

/** A finite number that is not negative. */
export const notNegative = (byDefault: number): Param => ({ default: byDefault, min: 0, max: Infinity, open: "max" });

/**
 * The numbers among the hyperparameters, defaults filled in; `others` are names that the caller reads itself.
 *
 * Throws    ParamError for unknown names and numbers out of range; KindError
 */
export function readHyper<N extends string>(
  hyper: object,
  params: Readonly<Record<N, Param>>,
  others: readonly string[] = [],
): Record<N, number> {
  if (typeof hyper !== "object" || hyper === null) {
    throw new KindError(`hyper: expected an object, got ${kindOf(hyper)}`);
  }
  for (const [name, value] of Object.entries(hyper)) {
    if (value === undefined || Object.hasOwn(params, name) || others.includes(name)) continue;
    const known = [...Object.keys(params), ...others].join(", ");
    throw new ParamError("unknown-option", `${name}: not a hyperparameter; known: ${known}`);
  }
  const read = (name: N): [N, number] => [name, readNumber((hyper as Record<N, unknown>)[name], name, params[name])];
  return Object.fromEntries((Object.keys(params) as N[]).map(read)) as Record<N, number>;
}

/** A number in its range, or its default where there is none. */
export function readNumber(value: unknown, name: string, param: Param): number {
  if (value === undefined) return param.default;
  if (typeof value !== "number") throw new KindError(`${name}: expected a number, got ${kindOf(value)}`);
  if (inRange(value, param)) return value;
  throw new ParamError("out-of-range", `${name}: expected a number in ${rangeText(param)}, got ${value}`);
}

/**
 * How many steps were taken.
 *
 * Throws    KindError if there is no state; ParamError if its step is no count
 */
export function readStep(state: { readonly step: number }): number {
  if (typeof state !== "object" || state === null) {
    throw new KindError(`state: expected an object, got ${kindOf(state)}`);
  }
  const { step } = state;
  if (typeof step !== "number") throw new KindError(`state.step: expected a number, got ${kindOf(step)}`);
  if (Number.isSafeInteger(step) && step >= 0) return step;
  throw new ParamError("out-of-range", `state.step: expected a count of steps, got ${step}`);
}

// The numbers that a hyperparameter may be, of a loss or of an optimiser.

import { outOfRange, wrongKind } from "../checks/refusals.ts";

/** A hyperparameter: its default and the interval it must lie in. */
export interface Param {
  readonly default: number;
  readonly min: number;
  readonly max: number;
  /** The ends that do not belong to the interval. Infinity never does: hyperparameters are finite. */
  readonly open?: "min" | "max" | "both";
}

/** A finite number above zero. */
export const positive = (byDefault: number): Param => ({ default: byDefault, min: 0, max: Infinity, open: "both" });

/** Any finite number. */
export const finite = (byDefault: number): Param => ({
  default: byDefault,
  min: -Infinity,
  max: Infinity,
  open: "both",
});

/** A number in an interval; `open` names the ends that do not belong to it. */
export const between = (min: number, max: number, byDefault: number, open?: Param["open"]): Param =>
  open ? { default: byDefault, min, max, open } : { default: byDefault, min, max };

/** The interval in mathematical notation: `[0, 0.5)`. */
export function rangeText({ min, max, open }: Param): string {
  const left = open === "min" || open === "both" ? "(" : "[";
  const right = open === "max" || open === "both" ? ")" : "]";
  const text = (x: number): string => (x === Infinity ? "∞" : x === -Infinity ? "−∞" : String(x));
  return `${left}${text(min)}, ${text(max)}${right}`;
}

/** Whether a value lies in the interval; NaN and other kinds do not. */
export function inRange(value: unknown, { min, max, open }: Param): value is number {
  if (typeof value !== "number") return false;
  const aboveMin = open === "min" || open === "both" ? value > min : value >= min;
  const belowMax = open === "max" || open === "both" ? value < max : value <= max;
  return aboveMin && belowMax;
}

/** A number in its range, or its default where there is none; `user` says in a message what it is for. */
export function readNumber(value: unknown, name: string, param: Param, user = ""): number {
  if (value === undefined) return param.default;
  if (typeof value !== "number") throw wrongKind(name, "a number", value);
  if (inRange(value, param)) return value;
  throw outOfRange(name, `a number in ${rangeText(param)}${user}`, value);
}

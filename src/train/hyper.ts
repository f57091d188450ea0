// Reading hyperparameters of optimisers: PyTorch's names, defaults and ranges.

import { recordOf } from "../checks/record.ts";
import { outOfRange, wrongKind } from "../checks/refusals.ts";
import { trainingSynonyms } from "../checks/training-synonyms.ts";
import { KindError } from "../errors.ts";
import { type Param, readNumber } from "../losses/ranges.ts";
import { isRecord, kindOf, shown } from "../messages.ts";

/** A finite number that is not negative. */
export const notNegative = (byDefault: number): Param => ({ default: byDefault, min: 0, max: Infinity, open: "max" });

const readAll = recordOf(
  { what: "hyper", field: "a hyperparameter", prefix: "", synonyms: trainingSynonyms },
  (): Record<string, unknown> => ({}),
);

/**
 * The numbers among the hyperparameters, defaults filled in, and under `rest` those that the caller reads itself: `others` are
 * their names. Each is looked at once.
 *
 * Throws    ParamError for unknown names and numbers out of range; KindError
 */
export function readHyper<N extends string>(
  hyper: object,
  params: Readonly<Record<N, Param>>,
  others: readonly string[] = [],
): Record<N, number> & { rest: Readonly<Record<string, unknown>> } {
  const names = Object.keys(params) as N[];
  const rest = readAll(hyper, () => [...names, ...others]);
  const numbers = names.map((name): [N, number] => [name, readNumber(rest[name], name, params[name])]);
  return { ...(Object.fromEntries(numbers) as Record<N, number>), rest };
}

/**
 * Sets how many steps were taken, before any array is written: a state that is frozen must not cost its arrays their meaning.
 *
 * Throws    KindError if the state keeps its number
 */
export function setStep(state: { step: number }, step: number): void {
  let now: unknown;
  try {
    state.step = step;
    now = state.step;
  } catch (cause) {
    throw new KindError("state.step: expected a number that can be set, got one that cannot", { cause });
  }
  if (now !== step)
    throw new KindError(`state.step: expected a number that can be set, got one that stays ${shown(now)}`);
}

/** The fields of an optimiser's state, each read once. Throws    KindError for what is none, or cannot be read */
export function readState<S extends object, N extends keyof S>(state: S, names: readonly N[]): Pick<S, N> {
  let cause: unknown;
  try {
    if (isRecord(state)) return Object.fromEntries(names.map((name) => [name, state[name]])) as Pick<S, N>;
  } catch (thrown) {
    cause = thrown;
  }
  throw new KindError(`state: expected an object, got ${cause ? "one that cannot be read" : kindOf(state)}`, { cause });
}

/**
 * How many steps were taken.
 *
 * Throws    KindError, ParamError if it is no count
 */
export function readStep({ step }: { readonly step: number }): number {
  if (typeof step !== "number") throw wrongKind("state.step", "a number", step);
  if (Number.isSafeInteger(step) && step >= 0) return step;
  throw outOfRange("state.step", "a count of steps", step);
}

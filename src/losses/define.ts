// What a loss is. A definition is one plain function of log-ratios and hyperparameters that returns the loss of a pair and
// its derivatives. It is the JavaScript backend as it stands; src/print prints it as AssemblyScript SIMD and WGSL.

import { copyRecord, recordOf } from "../checks/record.ts";
import { outOfRange } from "../checks/refusals.ts";
import { KindError } from "../errors.ts";
import { isRecord, shown } from "../messages.ts";
import { describeLoss, kindOfLoss, type LossRecord } from "./kinds.ts";
import type { LikelihoodLoss, Loss, MarginLoss, PairLoss, RowLoss } from "./loss.ts";
import { inRange, type Param, rangeText } from "./ranges.ts";

/** Hyperparameters that a loss may have beside the log-ratios. */
const MOST_PARAMS = 4;

/** Whether a value has the parts of a loss. */
function isLoss(value: unknown): value is Loss {
  if (typeof value !== "object" || value === null) return false;
  const { id, params } = value as Record<string, unknown>;
  const kind = kindOfLoss(value);
  const named = typeof id === "string" && id !== "" && typeof params === "object" && params !== null;
  return named && kind !== undefined && typeof value[kind as never] === "function";
}

const parts = "{ id, params, and one function margin, pair or row }";

const readLoss = recordOf<Partial<MarginLoss & PairLoss & LikelihoodLoss & RowLoss>>(
  { what: "loss", field: "a part of a loss", expected: parts },
  [
    "id",
    "title",
    "params",
    "margin",
    "pair",
    "likelihood",
    "row",
    "normalised",
    "sorted",
    "reference",
    "columns",
    "nll",
  ],
);

const readParam = recordOf<Param>(
  {
    what: "loss.params",
    field: "a part of a hyperparameter",
    prefix: "loss.params: ",
    expected: "{ default, min, max }",
  },
  ["default", "min", "max", "open"],
);

// A loop: the losses of the package are defined by every import.
function present<T extends object>(fields: T): T {
  const kept = {} as T;
  for (const name of Object.keys(fields) as (keyof T)[]) if (fields[name] !== undefined) kept[name] = fields[name];
  return kept;
}

// What `defineLoss` made, which nobody can change, with its record.
const defined = new WeakMap<object, LossRecord>();

/** Whether it is a loss as it will be used: nobody can change it any more. */
export const isSettled = (value: unknown): value is Loss => defined.has(value as object);

/** A loss as it will be used: one that was not made by `defineLoss` goes through it. Other values come back as they are. */
export function settleLoss<T>(value: T): T | Loss {
  if (!isRecord(value) || defined.has(value)) return value;
  const loss = present(readLoss(value));
  return isLoss(loss) ? settle(loss) : value;
}

/** The record of a loss. */
export const recordOfLoss = (loss: Loss): LossRecord =>
  defined.get(loss) ?? (defined.get(defineLoss(loss)) as LossRecord);

/**
 * Defines a loss of your own. It runs as it stands on the `js` backend, so its function may use whatever you like; `sigmoid`,
 * `softplus` and `logsigmoid` of this package keep their digits for any argument.
 *
 * A loss of the package's table is also printed in every language that kernels are written in. Its function may use `const`,
 * `+ - * /`, comparisons before `?:`, numbers, `Math.abs exp expm1 max min`, `Math.log` of hyperparameters, `Math.log1p` of
 * `Math.exp(-Math.abs(x))`, and `sigmoid`, `softplus`, `logsigmoid`.
 *
 * Returns   a frozen copy
 * Throws    KindError if it has no id, no params or not one function; ParamError for names that are no part of a loss, more
 *           than four hyperparameters, or a default outside its range
 * @example  import { createJs, defineLoss, sigmoid, softplus } from "dpo-kernels";
 *
 *           const simpo = defineLoss({
 *             id: "simpo", title: "SimPO: a margin of γ between the log-probs per token", normalised: true,
 *             params: { beta: { default: 2, min: 0, max: 100 }, gamma: { default: 0.5, min: -100, max: 100 } },
 *             margin: (d, beta, gamma) => {
 *               const z = beta * d - gamma;
 *               return [softplus(-z), -beta * sigmoid(-z)];
 *             },
 *           });
 *           const pairs = { policyChosen: Float32Array.of(-7), policyRejected: Float32Array.of(-14) };
 *           const lengths = { chosenLengths: Int32Array.of(9), rejectedLengths: Int32Array.of(11) };
 *           createJs().pairLoss({ ...pairs, ...lengths }, { lossType: simpo, referenceFree: true, beta: 2.5, gamma: 1.375 });
 */
export function defineLoss<const L extends Loss>(given: L): L {
  const loss = present(readLoss(given));
  if (!isLoss(loss)) throw new KindError(`loss: expected ${parts}, got something else`);
  return settle(loss) as L;
}

/** Checks the parts of a loss, once they are read, and freezes them. */
function settle(loss: Loss): Loss {
  const { id } = loss;
  const params = Object.entries(copyRecord(loss.params, "loss.params")).map(
    ([name, param]) => [name, present(readParam(param))] as const,
  );
  if (params.length > MOST_PARAMS) {
    throw outOfRange(`${id}.params`, `at most ${MOST_PARAMS}`, params.length);
  }
  for (const [name, param] of params) {
    const { default: byDefault, min, max } = param;
    if (typeof min !== "number" || typeof max !== "number") {
      throw new KindError(`${id}.params.${name}: expected numbers for min and max`);
    }
    if (inRange(byDefault, param)) continue;
    throw outOfRange(`${id}.params.${name}.default`, `a number in ${rangeText(param)}`, shown(byDefault));
  }
  // A copy: what was checked stays so, whatever becomes of the object given.
  const frozen = Object.freeze({ ...loss, params: Object.freeze(Object.fromEntries(params)) }) as unknown as Loss;
  defined.set(frozen, describeLoss(frozen));
  return frozen;
}

// The options that a request may have, as JSON Schema has them: their ranges are those of the library.

import { type LossType, lossTable, lossTypes } from "../losses/index.ts";
import type { Unit } from "../losses/kinds.ts";
import { cpoAlpha, sharedParams } from "../losses/params.ts";
import type { Param } from "../losses/ranges.ts";
import type { FDivergence } from "../types.ts";

export type Schema = Readonly<Record<string, unknown>>;

const flag: Schema = { type: "boolean", default: false };
const oneOf = (...words: readonly string[]): Schema => ({ type: "string", enum: words, default: words[0] });
const above0: Schema = { type: "number", exclusiveMinimum: 0 };
const anyNumber: Schema = { type: "number" };

/** The range of a hyperparameter. */
export function ofParam({ default: byDefault, min, max, open }: Param): Schema {
  const bound = (name: string, isOpen: boolean, value: number): Schema =>
    Number.isFinite(value) ? { [isOpen ? `exclusive${name[0]?.toUpperCase()}${name.slice(1)}` : name]: value } : {};
  return {
    type: "number",
    ...bound("minimum", open === "min" || open === "both", min),
    ...bound("maximum", open === "max" || open === "both", max),
    default: byDefault,
  };
}

const divergences: readonly FDivergence[] = ["reverse_kl", "forward_kl", "js_divergence", "alpha_divergence"];

/** Losses of pairs, of rows, or of either, and what they may be given; the first is the default. */
function lossOptions(...units: readonly Unit[]): Readonly<Record<string, Schema>> {
  const names = units.flatMap((unit) => lossTypes.filter((id) => lossTable[id].unit === unit));
  const lossName = { type: "string", enum: names };
  return {
    lossType: {
      oneOf: [lossName, { type: "array", items: lossName, minItems: 1, maxItems: 100 }],
      default: defaults[units[0] as Unit],
    },
    lossWeights: { type: "array", items: anyNumber, minItems: 1, maxItems: 100, description: "default: all 1" },
    ...Object.fromEntries(Object.entries(sharedParams).map(([name, param]) => [name, ofParam(param)])),
    fDivergence: oneOf(...divergences),
    fAlpha: { ...anyNumber, default: 0.5 },
    fConstants: { type: "boolean", default: true },
    referenceFree: flag,
  };
}

const defaults: Readonly<Record<Unit, LossType>> = { pair: "sigmoid", row: "kto" };

const transforms: Readonly<Record<string, Schema>> = {
  logitScale: { ...above0, default: 1 },
  logitSoftcap: above0,
  temperature: { ...above0, default: 1 },
};

const ldAlpha: Schema = { type: "number", minimum: 0, maximum: 1, description: "LD-DPO" };
const gradScale: Schema = { ...anyNumber, default: 1 };
const metrics = oneOf("basic", "full");
const validate = oneOf("ids", "finite");
const gradType = oneOf("same", "f32");
const frozen: Schema = { type: "string", enum: ["hidden", "head"], description: "what there is no gradient of" };

const common = { gradScale, metrics, validate };
export const pairOptions = { ...lossOptions("pair"), ...common };
export const rowOptions = { ...lossOptions("row"), ...common };
export const tokenLossOptions = {
  ...{ ...lossOptions("pair", "row"), ...common },
  ...{ cpoAlpha: ofParam(cpoAlpha), nll: { type: "boolean", default: true } as Schema },
  ...{ ldAlpha, weighting: { type: "string", enum: ["wpo"] } as Schema },
  ...{ gradType, ...transforms },
};
export const logpsOptions = { ldAlpha, entropy: flag, metrics, validate, ...transforms };
export const linearOptions = { ...tokenLossOptions, frozen };
export const logpsGradOptions = { ldAlpha, gradType, frozen, gradScale, validate, ...transforms };

/** Options of the library that have no meaning here: buffers, functions, signals, memory. */
export const localOptions: ReadonlySet<string> = new Set([
  ...["out", "inPlace", "accumulate", "keep", "signal", "onProgress", "transfer"],
]);

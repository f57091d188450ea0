// Every loss of the table in every form: with its defaults, with each hyperparameter at another value, under each
// f-divergence that it takes. Tests run over this list, so that a new loss is tested without a line of its own.

import { type LossType, lossTable, lossTypes } from "../../src/losses/index.ts";
import { isSorting, type LossRecord } from "../../src/losses/kinds.ts";
import type { Param } from "../../src/losses/ranges.ts";
import type { FDivergence, LossOptions } from "../../src/types.ts";

export interface Variant {
  name: string;
  id: LossType;
  loss: LossRecord;
  options: LossOptions;
}

export const table = lossTable;

/** The losses of pairs, and those of single rows. */
export const pairTypes: readonly LossType[] = lossTypes.filter((id) => table[id].unit === "pair");
export const rowTypes: readonly LossType[] = lossTypes.filter((id) => table[id].unit === "row");

/** What kind of formula a loss is; a sorted loss couples the pairs, a likelihood is one number for the batch. */
export const isSorted = isSorting;
export const isLikelihood = ({ kind }: LossRecord): boolean => kind === "likelihood";
export const isNormalised = ({ perToken }: LossRecord): boolean => perToken;
export const takesDivergence = ({ scored }: LossRecord): boolean => scored;

/** Another value than the default, inside every range of the table. */
export const otherValue = (param: Param): number => Math.round(1000 * (param.default + 0.2)) / 1000;

/** The f-divergences; α near 1, where scores are large and differences small, and nearer, where TRL falls back to r. */
export const divergences: readonly { fDivergence: FDivergence; fAlpha?: number }[] = [
  { fDivergence: "forward_kl" },
  { fDivergence: "js_divergence" },
  ...[0.5, 0, 2, 1 - 1e-3, 1 + 1e-3, 1 - 1e-7, 1 + 1e-7].map((fAlpha) => ({
    fDivergence: "alpha_divergence" as const,
    fAlpha,
  })),
];

/** The options of a call with tokens: prompts, which ORPO's NLL sees, are no part of packed ones. */
export const ofCompletions = <O extends LossOptions>(options: O): O =>
  [options.lossType].flat().includes("orpo") ? { ...options, nll: false } : options;

const variant = (id: LossType, options: LossOptions): Variant => {
  const { fDivergence, fAlpha = "", fConstants, ...params } = options;
  const words = Object.entries(params).map(([key, value]) => `${key} ${value}`);
  if (fDivergence) words.push(`${fDivergence} ${fAlpha}${fConstants === false ? " without constants" : ""}`.trim());
  return { name: [id, ...words].join(", "), id, loss: table[id], options: { lossType: id, ...options } };
};

/** Each loss with its defaults. */
export const plainVariants: readonly Variant[] = pairTypes.map((id) => variant(id, {}));

// k of KTO is the batch's.
const tuned = (id: LossType): Variant[] =>
  Object.entries(table[id].params)
    .filter(([name]) => name !== "kl")
    .map(([name, param]) => variant(id, { [name]: otherValue(param) }));

/** Each loss of rows with its defaults, and with each hyperparameter at another value. */
export const rowVariants: readonly Variant[] = rowTypes.flatMap((id) => [variant(id, {}), ...tuned(id)]);

/** Each loss with one hyperparameter at another value; discopop beyond τ = 1, where it grows exponentially, too. */
export const tunedVariants: readonly Variant[] = [...pairTypes.flatMap(tuned), variant("discopop", { discopopTau: 2 })];

/** Each loss of a score difference under each f-divergence. */
export const divergedVariants: readonly Variant[] = pairTypes
  .filter((id) => takesDivergence(table[id]))
  .flatMap((id) => [
    ...divergences.map((divergence) => variant(id, divergence)),
    // Losses per token alone feel them.
    ...(isNormalised(table[id]) ? divergences.slice(0, 4) : []).map((one) =>
      variant(id, { ...one, fConstants: false }),
    ),
  ]);

export const variants: readonly Variant[] = [...plainVariants, ...tunedVariants, ...divergedVariants];

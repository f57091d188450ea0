// The hyperparameters of the losses: beta, label_smoothing, discopop_tau, divergences, ld_alpha, WPO, reference_free.
// One that none of the losses uses is left out, with a warning unless it has TRL's default, so that no call refuses it.

import { outOfRange, unusedOption } from "../checks/refusals.ts";
import { type LossType, lossTable } from "../losses/index.ts";
import { sharedParams } from "../losses/params.ts";
import { inRange, type Param, rangeText } from "../losses/ranges.ts";
import type { FDivergence, LossOptions } from "../types.ts";
import type { Entries } from "./losses.ts";
import { divergenceOf } from "./read.ts";
import type { Reading } from "./reading.ts";

const isLikelihood = (type: LossType): boolean => lossTable[type].kind === "likelihood";

/** Losses of a difference of scores (losses.md §6.1): the ones with a margin that is not sorted. sft does not care. */
const takesDivergence = (type: LossType): boolean => lossTable[type].scored || isLikelihood(type);

// Where TRL up to v0.28 applied them (losses.md §§6.1, 6.2).
const hadDivergence: readonly LossType[] = ["sigmoid", "robust", "exo_pair", "hinge", "ipo", "sft"];
const hadReferenceFree: readonly LossType[] = [...hadDivergence, "apo_zero", "apo_down"];

const paramOf = (type: LossType, name: string): Param | undefined => {
  const { params } = lossTable[type];
  return Object.hasOwn(params, name) ? params[name] : undefined;
};

const listed = (types: readonly LossType[]): string => [...new Set(types)].join(", ");

/** The losses that stand in the way of an option: those it does not reach, or all where sft alone is left for it. */
function obstacles(types: readonly LossType[], reaches: (type: LossType) => boolean): readonly LossType[] {
  const others = types.filter((type) => !reaches(type));
  return others.length > 0 || !types.every(isLikelihood) ? others : types;
}

/** What to do about an option that reaches some losses of a list and not others. */
const apart = (types: readonly LossType[], without: readonly LossType[]): string =>
  without.length < types.length ? "; give it to the other losses in a call of their own" : "";

export type ParamKey =
  | "beta"
  | "label_smoothing"
  | "discopop_tau"
  | "simpo_gamma"
  | "alpha"
  | "desirable_weight"
  | "undesirable_weight";

/** A hyperparameter, checked against the range of every loss that uses it. */
export function param(key: ParamKey, name: string, { types }: Entries, { get, warn }: Reading): number | undefined {
  const value = get(key);
  if (value === undefined) return undefined;
  // β scales the rewards of every loss.
  const users = types.filter((type) => paramOf(type, name) || name === "beta");
  if (users.length === 0) {
    if (value !== sharedParams[name]?.default) warn(key, `${listed(types)} does not use it; left out`);
    return undefined;
  }
  for (const type of users) {
    const range = paramOf(type, name) ?? sharedParams[name];
    if (!range || inRange(value, range)) continue;
    const hint = type === "exo_pair" && value === 0 ? ' (TRL up to v0.28 read 0 as 1e-3: { version: "0.28.0" })' : "";
    throw outOfRange(`config.${key}`, `a number in ${rangeText(range)} for ${type}`, `${value}${hint}`);
  }
  return value;
}

function readLabelSmoothing(entries: Entries, reading: Reading): number | undefined {
  const { get, before, trl, warn } = reading;
  const { types } = entries;
  const given = get("label_smoothing") ?? 0;
  if (types.includes("exo_pair") && given === 0) {
    const sharers = types.filter((type) => type !== "exo_pair" && paramOf(type, "labelSmoothing"));
    const shared = sharers.length > 0 ? `, for ${listed(sharers)} too` : "";
    if (before("0.29")) {
      warn("label_smoothing", `${trl} replaces 0 by 1e-3 for exo_pair${shared}: written out`);
      return 1e-3;
    }
    if (get("label_smoothing") === undefined) {
      warn("label_smoothing", `exo_pair needs it, and ${trl} stops without it; here it is 1e-3 for exo_pair`);
    }
  }
  const value = param("label_smoothing", "labelSmoothing", entries, reading);
  if (value && types.includes("sigmoid") && (before("0.7.5") || !before("0.29"))) {
    warn("label_smoothing", `${trl} ignores it in sigmoid; here sigmoid with it is cDPO, as in TRL v0.7.5 – v0.28`);
  }
  return value;
}

/** What TRL v0.29 – v1.9 did about losses that take no divergence (trl#6559). */
function scores(types: readonly LossType[]): string {
  const scored = types.filter((type) => ["nca_pair", "bco_pair", "sppo_hard", "apo_down"].includes(type));
  return scored.length > 0 ? ` (TRL v0.29 – v1.9 put it into ${listed(scored)}, later versions refuse it)` : "";
}

/** Losses that divide each score by a length of its own, and so feel the constants of an f-divergence. */
const isPerToken = (type: LossType): boolean => lossTable[type].perToken;

function readDivergence({ types }: Entries, { get, before, trl, versioned, warn }: Reading) {
  const none: { fDivergence?: FDivergence; fAlpha?: number; fConstants?: boolean } = {};
  const fDivergence = divergenceOf(get("f_divergence_type") ?? "reverse_kl");
  const coefficient = get("f_alpha_divergence_coef");
  const old = before("0.29");
  const isAlpha = fDivergence === "alpha_divergence";
  // 0.5 is the default now, 1 was: neither says that it was meant.
  if (!isAlpha && coefficient !== undefined && coefficient !== 0.5 && coefficient !== 1) {
    warn("f_alpha_divergence_coef", 'only f_divergence_type: "alpha_divergence" uses it; left out');
  }
  if (fDivergence === undefined || fDivergence === "reverse_kl") return none;
  const without = obstacles(types, (type) => (old ? hadDivergence.includes(type) : takesDivergence(type)));
  const refused = without.filter((type) => !isLikelihood(type));
  if (refused.length > 0 && !before("1.10")) {
    const expected = `expected "reverse_kl" beside ${listed(refused)} (as in ${trl})`;
    const hint = apart(types, refused) + scores(refused);
    throw unusedOption("config.f_divergence_type", `${expected}, got "${fDivergence}"${hint}`);
  }
  if (without.length > 0) {
    const scored = old ? "" : scores(without);
    warn("f_divergence_type", `${listed(without)} does not use it${scored}; left out${apart(types, without)}`);
    return none;
  }
  // TRL up to v1.9 dropped the constants of the scores.
  const constants = before("1.10") && types.some(isPerToken) ? { fConstants: false } : {};
  if (!isAlpha) return { fDivergence, ...constants };
  if (old) {
    // Margin (e^(−α'c) − e^(−α'a))/α' up to v0.28, (e^((α−1)a) − e^((α−1)c))/(α−1) since: α = 1 − α'.
    if (coefficient === 0) {
      warn("f_alpha_divergence_coef", `${trl} divides by this 0; here it is the limit, reverse_kl`);
    }
    return { fDivergence, fAlpha: 1 - (coefficient ?? 1), ...constants };
  }
  if (coefficient !== undefined && coefficient !== 0.5 && !versioned) {
    warn(
      "f_alpha_divergence_coef",
      `read as TRL's α since v0.29; up to v0.28 ${coefficient} meant what is ${1 - coefficient} now: for so old a ` +
        'configuration, name the version, as in { version: "0.28.0" }',
    );
  }
  return { fDivergence, ...(coefficient === undefined ? {} : { fAlpha: coefficient }), ...constants };
}

function readLdAlpha({ types }: Entries, { get, before, trl, warn }: Reading): number | undefined {
  const value = get("ld_alpha");
  if (value === undefined) return undefined;
  if (!(value >= 0 && value <= 1)) {
    throw outOfRange("config.ld_alpha", "a number in [0, 1]", value);
  }
  if (value === 1) return undefined; // off
  if (types.every(isLikelihood)) {
    warn("ld_alpha", `${listed(types)} does not use it; left out`);
    return undefined;
  }
  warn("ld_alpha", "for calls that see tokens; pairLoss refuses it: its log-probabilities must carry it already");
  if (before("0.29")) {
    warn("ld_alpha", `${trl} applies it to the policy alone, counting tokens from the prompt's start; not followed`);
  }
  return value;
}

function readWeighting({ types }: Entries, { get, before, trl, warn }: Reading): "wpo" | undefined {
  if (!get("use_weighting")) return undefined;
  const without = types.filter((type) => lossTable[type].batch);
  if (without.length > 0) {
    warn("use_weighting", `WPO weights pairs, which ${listed(without)} does not have; left out`);
    return undefined;
  }
  warn("use_weighting", "for calls that see logits; pairLoss refuses weighting: it takes pairWeights instead");
  if (before("0.29")) {
    warn("use_weighting", `${trl} holds the weights to at most 1 and reads them one token off; not followed`);
  }
  return "wpo";
}

function readReferenceFree({ types }: Entries, { get, before, warn }: Reading): true | undefined {
  if (!get("reference_free")) return undefined;
  const without = obstacles(types, (type) => hadReferenceFree.includes(type));
  if (without.length > 0) {
    warn("reference_free", `TRL never applied it to ${listed(without)}; left out${apart(types, without)}`);
    return undefined;
  }
  if (!before("0.29")) warn("reference_free", "gone since TRL v0.29; read as before");
  return true;
}

/** The options beside lossType and lossWeights that the losses use; absent ones are undefined. */
export function readOptions(entries: Entries, reading: Reading): LossOptions {
  return {
    beta: param("beta", "beta", entries, reading),
    labelSmoothing: readLabelSmoothing(entries, reading),
    discopopTau: param("discopop_tau", "discopopTau", entries, reading),
    ...readDivergence(entries, reading),
    ldAlpha: readLdAlpha(entries, reading),
    weighting: readWeighting(entries, reading),
    referenceFree: readReferenceFree(entries, reading),
  };
}

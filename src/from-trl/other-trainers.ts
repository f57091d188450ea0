// The hyperparameters of the trainers beside DPO's (losses.md §10), and what surprises about their defaults.

import { outOfRange } from "../checks/refusals.ts";
import type { LossOptions } from "../types.ts";
import type { Entries } from "./losses.ts";
import { param } from "./options.ts";
import type { Reading } from "./reading.ts";
import { configOf } from "./trainers.ts";

/** How many rows of either kind a data set has. */
export interface TrlCounts {
  desirable: number;
  undesirable: number;
}

/** The options of the one loss of another trainer's configuration. */
export function readOtherOptions(entries: Entries, reading: Reading, counts: TrlCounts | undefined): LossOptions {
  const { trainer } = reading;
  const beta = param("beta", "beta", entries, reading);
  if (trainer === "cpo") return { beta, ...readCpo(entries, reading) };
  if (trainer === "kto") return { beta, ...readKto(entries, reading, counts) };
  if (trainer === "bco") warnOfShift(reading);
  return { beta };
}

function readCpo(entries: Entries, reading: Reading): LossOptions {
  const { get, before, trl, warn } = reading;
  const isSimpo = entries.types.includes("simpo" as never);
  const isAlphapo = [get("loss_type") ?? []].flat().includes("alphapo");
  const alpha = param("alpha", "alphapoAlpha", entries, reading);
  if (isSimpo && get("beta") === undefined) warn("beta", "TRL's default is 0.1; the SimPO paper takes 2 to 2.5");
  if (isAlphapo && !alpha) warn("alpha", "with TRL's default 0, alphapo is simpo");
  if (alpha && before("0.22")) warn("alpha", `${trl} has none; read as in v0.22 and later`);
  return {
    labelSmoothing: param("label_smoothing", "labelSmoothing", entries, reading),
    simpoGamma: param("simpo_gamma", "simpoGamma", entries, reading),
    alphapoAlpha: alpha,
    cpoAlpha: readCpoAlpha(isAlphapo, isSimpo, reading),
  } as LossOptions;
}

/** The weight of the likelihood of the chosen completions; 0 is off, here the default. */
function readCpoAlpha(isAlphapo: boolean, isSimpo: boolean, { get, before, trl, warn }: Reading): number | undefined {
  const given = get("cpo_alpha");
  if (given !== undefined && !(given >= 0)) {
    throw outOfRange("config.cpo_alpha", "a number in [0, ∞)", given);
  }
  if (isAlphapo) {
    if (given) warn("cpo_alpha", "alphapo sets it to 0");
    return undefined;
  }
  if (before("0.9.6") && given !== 1) {
    warn("cpo_alpha", `${trl} has none, and adds the likelihood of the chosen with weight 1: written out`);
    return 1;
  }
  if (given === undefined) {
    const pure = isSimpo ? ", for simpo too (0: the paper's)" : "";
    warn("cpo_alpha", `TRL's default 1 adds the likelihood of the chosen${pure}: written out`);
  }
  if (given !== 0) warn("cpo_alpha", "for calls that see tokens; pairLoss refuses it");
  return given === 0 ? undefined : (given ?? 1);
}

function readKto(entries: Entries, reading: Reading, counts: TrlCounts | undefined): LossOptions {
  const { get, warn } = reading;
  if (entries.types.includes("kto") && get("per_device_train_batch_size") === 1) {
    warn("per_device_train_batch_size", "kto needs 2 at least: a row's mismatched completion is its neighbour's");
  }
  if (counts) warnOfWeights(counts, reading);
  return {
    desirableWeight: param("desirable_weight", "desirableWeight", entries, reading),
    undesirableWeight: param("undesirable_weight", "undesirableWeight", entries, reading),
  };
}

/** The paper's eq. 8: desirable rows, times their weight, are to be 1 to 4/3 times the others; TRL warns likewise. */
function warnOfWeights({ desirable, undesirable }: TrlCounts, { get, warn }: Reading): void {
  if (desirable === undesirable || desirable === 0 || undesirable === 0) return;
  const balance = (undesirable * (get("undesirable_weight") ?? 1)) / desirable;
  const ratio = (get("desirable_weight") ?? 1) / balance;
  if (ratio >= 1 && ratio <= 1.33) return;
  const [low, high] = [balance, 1.33 * balance].map((bound) => bound.toPrecision(3));
  warn(
    "desirable_weight",
    `weight times count of desirable rows is ${ratio.toPrecision(3)} times that of the others; KTO's paper wants 1 to 1.33: ` +
      `here desirable_weight from ${low} to ${high}`,
  );
}

function warnOfShift({ before, trl, warn }: Reading): void {
  const old = before("0.17") ? ` (${trl} counts each batch once, here each row)` : "";
  warn(
    "loss_type",
    `${configOf("bco")} shifts the rewards by their running mean: in training add rewardShift: createRunningMean()${old}`,
  );
}

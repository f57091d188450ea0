// What the losses asked for come to: of pairs or of rows, together and each alone.

import { createRunningMean, DpoError, type LossType, lossTypes } from "../index.ts";
import { readLossOptions } from "../inputs/options.ts";
import { lossTable } from "../losses/index.ts";
import type { Unit } from "../losses/kinds.ts";
import { type Plan, planLosses, type Term } from "../plan/plan.ts";
import type { LossOptions } from "../types.ts";
import { dashed } from "./config.ts";
import { refusal } from "./refusal.ts";

/** The losses of pairs, or of rows. */
export const typesOf = (unit: Unit): readonly LossType[] => lossTypes.filter((id) => lossTable[id].unit === unit);

/** What the losses asked for are of; undefined where none is asked for by name. A mixture is refused where it is planned. */
export function unitOf(lossType: LossOptions["lossType"]): Unit | undefined {
  const names: readonly unknown[] = lossType === undefined ? [] : [lossType].flat();
  if (names.length === 0 || isEvery(lossType)) return undefined;
  return names.some((name) => (typesOf("row") as readonly unknown[]).includes(name)) ? "row" : "pair";
}

/** Whether `--loss-type all` was given. */
export const isEvery = (lossType: LossOptions["lossType"]): boolean =>
  Array.isArray(lossType) && lossType.length === 1 && lossType[0] === "all";

/** The options of one loss of several: those of them that it uses. A running mean is kept for each. */
export function alone({ loss }: Term, options: LossOptions): LossOptions {
  const { lossType: _type, lossWeights: _weights, fDivergence, fAlpha, referenceFree, ...params } = options;
  const used = Object.entries(params).filter(([name]) => name === "beta" || Object.hasOwn(loss.params, name));
  const own = used.map(([name, value]) => [name, typeof value === "object" ? createRunningMean() : value]);
  return {
    lossType: loss.id as LossType,
    ...Object.fromEntries(own),
    ...(loss.reference && { referenceFree }),
    ...(loss.scored && { fDivergence, fAlpha }),
  };
}

/** Options and what they mean; a complaint about one that came from the command line calls it by its name there. */
export function makePlan(options: LossOptions, given: object, unit: Unit): Plan {
  try {
    return planLosses(readLossOptions(options), unit);
  } catch (error) {
    if (!(error instanceof DpoError)) throw error;
    throw refusal(error.message.replace(/^\w+/, (name) => (name in given ? dashed(name) : name)));
  }
}

/** The mean over a file is the mean over its batches only for losses of single pairs or rows. */
export function batchNote({ terms, shift }: Plan, unit: Unit, batches: number, size: number): string[] {
  const coupled = terms
    .map(({ loss }) => loss)
    .filter(({ batch, params }) => {
      const isShifted = (shift !== undefined && "rewardShift" in params) || "kl" in params;
      return batch !== undefined || isShifted;
    });
  if (coupled.length === 0) return [];
  const how =
    batches === 1
      ? `all ${unit}s were one batch`
      : `${batches} batches of up to ${size} ${unit}s (--batch-size all: one)`;
  return [`${coupled.map((loss) => loss.id).join(", ")}: depends on which ${unit}s share a batch; here ${how}`];
}

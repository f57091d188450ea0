// From times to figures: medians and quartiles, shares of the machine's limits, and what a reader should know of the run.

import type { Limit } from "./calibrate.ts";
import { summarise } from "./statistics.ts";
import type { BenchResult, Candidate, Case, Figure, ResultError } from "./types.ts";

/** Nanoseconds a unit, one number a round. */
export interface Measured {
  readonly work: Case;
  readonly candidate: Candidate;
  readonly error: ResultError;
  readonly rounds: readonly number[];
  readonly scratch?: number;
}

/** Bytes or multiply-adds a nanosecond, one number a round. */
export interface Calibrated {
  readonly of: Limit;
  readonly rates: readonly number[];
}

type Limits = BenchResult["limits"];

/** `<group>/<what>` of a case's name. */
export const familyOf = ({ name }: Pick<Case, "name">): string => name.slice(0, name.lastIndexOf("/"));

export const figuresOf = (measured: readonly Measured[], limits?: Limits): Figure[] =>
  measured.map(({ work, candidate, error, rounds, scratch }) => {
    const summary = summarise(rounds);
    const share = limits && shareOf(work, candidate, summary.median, limits);
    return {
      case: work.name,
      group: work.group,
      candidate: candidate.name,
      ours: candidate.ours,
      arrays: candidate.arrays,
      unit: work.unit,
      units: work.units,
      ...summary,
      rounds,
      ...(share ? { share } : {}),
      ...(work.work ? { work: work.work } : {}),
      error,
      ...(scratch === undefined ? {} : { scratch }),
    };
  });

/** Of one thread's limit: what runs on several may be above 1. Plain SIMD has no fused multiply-add; peers may have. */
function shareOf({ work, units }: Case, { name, ours }: Candidate, median: number, limits: Limits): Figure["share"] {
  // A coarse clock may see no time pass.
  if (!work || median === 0) return undefined;
  const nanoseconds = median * units;
  if (work.bound === "bandwidth") {
    const { bandwidth } = limits;
    return bandwidth > 0 ? { of: work.bound, value: work.bytes / nanoseconds / bandwidth } : undefined;
  }
  const plain = ours && /^(plain|js)\b/.test(name);
  const limit = plain ? limits.plain : (limits.relaxed ?? limits.plain);
  return limit > 0 ? { of: work.bound, value: work.flops / 2 / nanoseconds / limit } : undefined;
}

/** Medians over all cases; 0 where a loop does not run here. */
export function limitsOf(calibrated: readonly Calibrated[]): Limits {
  const limit = (of: Limit) => {
    const rates = ratesOf(calibrated, of);
    return rates.length === 0 ? 0 : summarise(rates).median;
  };
  const relaxed = limit("relaxed");
  return { bandwidth: limit("bandwidth"), plain: limit("plain"), ...(relaxed > 0 ? { relaxed } : {}) };
}

const ratesOf = (calibrated: readonly Calibrated[], of: Limit): number[] =>
  calibrated.flatMap((one) => (one.of === of ? one.rates : []));

interface Run {
  readonly calibrated: readonly Calibrated[];
  readonly step: number;
}

/** A loop that touches no memory takes the same time again and again on a machine of its own, and of one clock rate. */
const STEADY = 0.05;
const COARSE = 0.1;

/** What makes a machine a busy one, as a note; none where nothing does. */
export const busyNote = (reasons: readonly string[]): string[] =>
  reasons.length === 0
    ? []
    : [`a busy machine: ${reasons.join("; ")}: compare within a round, and do not quote the times`];

export function notesOn({ calibrated, step }: Run): string[] {
  const { lower, median, upper } = summarise(ratesOf(calibrated, "plain"));
  const spread = (upper - lower) / median;
  const varied = `the loop of calibration varied by ${(100 * spread).toFixed(0)} % between its quartiles`;
  return [
    ...(spread > STEADY ? [`an uneven machine: ${varied}: compare within a round, and do not quote the times`] : []),
    ...(step >= COARSE
      ? [`the clock moves in steps of ${step} ms: short work was repeated until they are below 2 %`]
      : []),
  ];
}

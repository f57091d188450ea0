// What has become slower or faster between two sets of results, and how sure that is.

import { ratioOf, tail, tailPoint } from "./ratio.ts";
import type { BenchResult, Figure, Skipped } from "./types.ts";

export type Verdict = "slower" | "faster" | "unchanged" | "unclear";

/** One figure, before and after. */
export interface Change {
  /** "node 26"; with the machine, where results are of several. */
  readonly runtime: string;
  readonly case: string;
  readonly candidate: string;
  readonly arrays: Figure["arrays"];
  readonly rounds: readonly [before: number, after: number];
  /** Of the times, after over before, with the interval that all figures together are within at the stated confidence. */
  readonly ratio: number;
  readonly lower: number;
  readonly upper: number;
  /** "unchanged": by less than 15 %; "unclear": the interval is too wide to say. */
  readonly verdict: Verdict;
  /** Of the verdict, all figures taken into account: 0 … 1. */
  readonly confidence: number;
}

export interface Comparison {
  /** Whether both were measured in the same rounds: if not, what the machine did in between counts as uncertainty. */
  readonly interleaved: boolean;
  readonly confidence: number;
  readonly changes: readonly Change[];
  /** Figures that only one side has, and why the other lacks them, where its runs say so: they may have been wrong. */
  readonly missing: readonly string[];
  /** Of builds: what neither has figures of, such as cases that no time was left for. */
  readonly skipped: readonly Skipped[];
}

export interface CompareOptions {
  /** That no figure at all is called slower or faster which is not. Default 0.99. */
  readonly confidence?: number;
  /** How often the same comparison is made while rounds are added, each time with a chance to err. Default 1. */
  readonly looks?: number;
}

/** Changes of this size are to be found: what cannot be told from one is "unclear". */
const FOUND = Math.log(1.15);

// The same code in two modules, or in two processes, differs by where its code and arrays come to lie. measured: two instances of one
// build in one process by up to 3 %, two processes by 2 % beside the spread of their rounds; with these margins 40 comparisons of a build
// with itself found nothing.
const margins = { interleaved: { least: Math.log(1.03), between: 0 }, apart: { least: Math.log(1.05), between: 0.02 } };

/** A figure of one side: the rounds of all its results. */
interface Series {
  readonly key: string;
  readonly figure: Figure;
  readonly runtime: string;
  readonly rounds: number[];
  runs: number;
  /** Logarithms of the calibration that bounds this figure, one a run. */
  readonly limits: number[];
}

/**
 * Compares results that were measured at different times; the more of them on each side, the surer. Figures of two machines, or one of
 * processor time and one of a clock, measure different things and are not compared.
 */
export function compareResults(
  before: readonly BenchResult[],
  after: readonly BenchResult[],
  options: CompareOptions = {},
): Comparison {
  const machines = new Set([...before, ...after].map(machineOf));
  const placeOf = (result: BenchResult): string =>
    [
      runtimeOf(result),
      ...(machines.size > 1 ? [` on ${machineOf(result)}`] : []),
      ...(result.settings.processorTime ? [", processor time"] : []),
    ].join("");
  return compared(sideOf(before, placeOf), sideOf(after, placeOf), false, options);
}

/** What times of one thread are comparable on: how many processors there are is no part of it. */
const machineOf = ({ machine: { cpu, platform } }: BenchResult): string => `${cpu || "a machine"}, ${platform}`;

const runtimeOf = ({ runtime: { name, version } }: BenchResult): string => `${name} ${version.split(".")[0]}`;

/**
 * Compares two builds of the package that took turns in the same runs. Candidates of a build are named `<name>@<mark>`; those without a
 * mark are of the build whose mark is "".
 */
export function compareBuilds(
  results: readonly BenchResult[],
  [before, after]: readonly [before: string, after: string],
  options: CompareOptions = {},
): Comparison {
  const comparison = compared(sideOf(results.map(only(before))), sideOf(results.map(only(after))), true, options);
  const known = new Set(
    results.flatMap(({ figures }) => figures.map(({ case: name, candidate }) => `${name}, ${unmarked(candidate)}`)),
  );
  const skipped = results.flatMap((result) =>
    result.skipped.filter(
      ({ case: name, candidate }) => name !== undefined && !known.has(`${name}, ${unmarked(candidate)}`),
    ),
  );
  return { ...comparison, skipped };
}

const unmarked = (candidate: string): string => candidate.replace(/@.*/s, "");

/** A result with what is of one build alone, under names without its mark. */
const only = (build: string) => {
  const ofBuild = <T extends { readonly candidate: string }>(one: T): T[] => {
    const [candidate = "", mark = ""] = one.candidate.split(/@(.*)/s);
    return mark === build ? [{ ...one, candidate }] : [];
  };
  return (result: BenchResult): BenchResult => ({
    ...result,
    figures: result.figures.filter(({ ours }) => ours).flatMap(ofBuild),
    skipped: result.skipped.flatMap(ofBuild),
  });
};

/** In the place of a case: a candidate that does not run here has no figures of any. */
const ALL = "all cases";

/** The figures of one side, and by case and candidate why others are none. */
interface Side {
  readonly series: ReadonlyMap<string, Series>;
  readonly reasons: ReadonlyMap<string, string>;
}

function sideOf(results: readonly BenchResult[], placeOf = runtimeOf): Side {
  const reasons = results.flatMap((result) =>
    result.skipped.map(({ case: name = ALL, candidate, why }) => {
      return [`${placeOf(result)}: ${name}, ${candidate}`, why] as const;
    }),
  );
  return { series: seriesOf(results, placeOf), reasons: new Map(reasons) };
}

function seriesOf(results: readonly BenchResult[], placeOf: (result: BenchResult) => string): Map<string, Series> {
  const all = new Map<string, Series>();
  for (const result of results) {
    const where = placeOf(result);
    const { figures, limits } = result;
    for (const figure of figures) {
      const key = `${where}: ${figure.case}, ${figure.candidate}, ${figure.arrays}`;
      const known = all.get(key) ?? { key, figure, runtime: where, rounds: [], runs: 0, limits: [] };
      known.rounds.push(...figure.rounds);
      known.runs++;
      const limit = figure.share?.of === "bandwidth" ? limits.bandwidth : limits.plain;
      // Where its loop does not run there is none.
      if (limit > 0) known.limits.push(Math.log(limit));
      all.set(key, known);
    }
  }
  return all;
}

function compared(
  before: Side,
  after: Side,
  interleaved: boolean,
  { confidence = 0.99, looks = 1 }: CompareOptions,
): Comparison {
  const both = [...before.series.values()].flatMap((a) => {
    const b = after.series.get(a.key);
    return b === undefined ? [] : [[a, b] as const];
  });
  const chances = both.length * looks;
  const changes = both.map(([a, b]) => changeOf(a, b, interleaved, (1 - confidence) / chances, chances));
  return {
    interleaved,
    confidence,
    changes,
    missing: [...lacking(before, after), ...lacking(after, before)],
    skipped: [],
  };
}

/** What the one side has and the other lacks. */
const lacking = ({ series }: Side, other: Side): string[] =>
  [...series.values()].flatMap(({ key, figure, runtime }) => {
    if (other.series.has(key)) return [];
    const why = [figure.case, ALL].map((name) => other.reasons.get(`${runtime}: ${name}, ${figure.candidate}`));
    return [[key, ...why.filter((reason) => reason !== undefined).map((reason) => `the other: ${reason}`)].join("; ")];
  });

/** `chance` is what this figure may contribute to a false alarm (Bonferroni); `chances` as many figures may. */
function changeOf(before: Series, after: Series, interleaved: boolean, chance: number, chances: number): Change {
  const { runtime, figure } = before;
  const named = { runtime, case: figure.case, candidate: figure.candidate, arrays: figure.arrays };
  const rounds = [before.rounds.length, after.rounds.length] as const;
  // A candidate that dropped out of some rounds has no partner in them.
  const found = ratioOf(before.rounds, after.rounds, interleaved && rounds[0] === rounds[1]);
  if (found === undefined) {
    const ratio = after.figure.lower / before.figure.lower;
    return { ...named, rounds, ratio, lower: 0, upper: Number.POSITIVE_INFINITY, verdict: "unclear", confidence: 0 };
  }
  const { least, between } = interleaved ? margins.interleaved : margins.apart;
  const error = Math.hypot(found.error, between * Math.sqrt((1 / before.runs + 1 / after.runs) / 2));
  // Where the calibration says that the machine itself has changed, a figure may have changed with it or not: it is judged by both.
  const isCalibrated = !interleaved && before.limits.length > 0 && after.limits.length > 0;
  const shift = isCalibrated ? mean(before.limits) - mean(after.limits) : 0;
  const estimates = [found.log, found.log - shift];
  const [low, high] = [Math.min(...estimates), Math.max(...estimates)];
  const reach = tailPoint(chance / 2, found.freedom) * error;
  const [lower, upper] = [low - reach, high + reach];
  /** How sure it is that something lies by `distance` on the right side of a limit. */
  const sure = (distance: number): number =>
    Math.max(0, 1 - 2 * chances * tail(Math.max(0, distance) / error, found.freedom));
  const [verdict, certainty]: [Verdict, number] =
    lower > least
      ? ["slower", sure(low - least)]
      : upper < -least
        ? ["faster", sure(-high - least)]
        : [lower > -FOUND && upper < FOUND ? "unchanged" : "unclear", sure(FOUND - Math.max(-low, high))];
  const [ratio, from, to] = [found.log, lower, upper].map(Math.exp) as [number, number, number];
  return { ...named, rounds, ratio, lower: from, upper: to, verdict, confidence: certainty };
}

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

// One case by all candidates: opened, checked against float64, timed in turn with the loops of calibration.

import type { Calibration } from "./calibrate.ts";
import { type Calibrated, familyOf, type Measured } from "./figures.ts";
import { elapsedOf, measure, type RoundsOptions, type Schedule, warmUp } from "./rounds.ts";
import type { Candidate, Case, Opened, Problem, ResultError, Skipped } from "./types.ts";
import { within } from "./within.ts";

export interface CaseOptions extends RoundsOptions {
  /** Milliseconds of a run from which on a candidate is left out: by its first run, or told by what it took in smaller cases. */
  readonly longest: number;
  /** Milliseconds after which a candidate is taken for one that never answers. */
  readonly patience: number;
  /** When the rounds should be over, and when no candidate is opened any more. Of the clock. */
  readonly deadline: number;
  readonly end: number;
  readonly earlier: readonly Measured[];
  /** Told before each candidate is opened. */
  readonly onCandidate?: ((name: string) => void | Promise<void>) | undefined;
}

export interface CaseTimes {
  readonly measured: readonly Measured[];
  readonly calibrated: readonly Calibrated[];
  readonly skipped: readonly Skipped[];
}

/** A candidate that gave the right results, ready for its rounds. */
interface Ready {
  readonly candidate: Candidate;
  readonly opened: Opened;
  readonly error: ResultError;
  readonly schedule: Schedule;
}

/** What is smaller than this stays in a core's caches, and leaves no garbage to speak of. */
const LARGE = 1 << 20;

export async function timeCase(
  work: Case,
  candidates: readonly Candidate[],
  loops: readonly Calibration[],
  options: CaseOptions,
): Promise<CaseTimes> {
  const skipped: Skipped[] = [];
  const skip = ({ name }: Candidate, why: string) => skipped.push({ case: work.name, candidate: name, why });
  const ready: Ready[] = [];
  const collect = (work.work?.bytes ?? 0) > LARGE ? options.collect : undefined;
  try {
    const problem = problemOf(work);
    if (typeof problem === "string") {
      return {
        measured: [],
        calibrated: [],
        skipped: [{ case: work.name, candidate: "all candidates", why: problem }],
      };
    }
    for (const candidate of candidates) {
      await options.onCandidate?.(candidate.name);
      if ((await options.now()) >= options.end) {
        // Which of the others have a form of the case would be known once they are opened.
        const last = ready.at(-1)?.candidate.name;
        skipped.push({ case: work.name, candidate: last ? `all after ${last}` : "all candidates", why: noTime });
        break;
      }
      const found = tooLong(work, candidate, options) ?? (await getReady(work, problem, candidate, options));
      if (typeof found === "string") skip(candidate, found);
      else if (found) ready.push(found);
      if (litters(candidate)) collect?.();
    }
    if (ready.length === 0) return { measured: [], calibrated: [], skipped };
    const schedules = [...ready, ...loops].map(({ schedule }) => schedule);
    const failed = new Set<Ready>();
    const times = await measure(schedules, {
      ...options,
      collect,
      left: Math.max(0, options.deadline - (await options.now())),
      onFailure(k, cause) {
        const one = ready[k];
        if (!one) throw cause;
        failed.add(one);
        skip(one.candidate, `in its rounds: ${wordsOf(cause)}`);
      },
    });
    const measured = ready.flatMap((one, k): Measured[] => {
      if (failed.has(one)) return [];
      const { candidate, error, opened } = one;
      const scratch = opened.scratch?.();
      const rounds = (times[k] ?? []).map((time) => time / work.units);
      return [{ work, candidate, error, rounds, ...(scratch === undefined ? {} : { scratch }) }];
    });
    const calibrated = times
      .slice(ready.length)
      .map((all, k) => ({ of: loops[k]?.of ?? "plain", rates: all.map((time) => (loops[k]?.amount ?? 0) / time) }));
    return { measured, calibrated, skipped };
  } finally {
    for (const { candidate, opened } of ready) {
      // What others have measured is not lost with it.
      await close(opened, options).catch((cause) => skip(candidate, `measured, but not closed: ${wordsOf(cause)}`));
    }
  }
}

export const noTime = "no time was left for it; asked for by name, it is measured";

/** The inputs; why there are none where the shape that was asked for is more than this place has memory for. */
function problemOf(work: Case): Problem | string {
  try {
    return work.prepare();
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    return `its inputs do not fit here: ${cause.message}`;
  }
}

/** New arrays for every result. */
const litters = ({ arrays }: Candidate): boolean => arrays === "fresh";

const close = async (opened: Opened, { patience }: CaseOptions): Promise<void> => within(patience, opened.close?.());

const wordsOf = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause));

/** Why a candidate is left out; undefined where it has no form of the case. */
async function getReady(work: Case, problem: Problem, candidate: Candidate, options: CaseOptions) {
  const { now, patience, longest } = options;
  let opened: Opened | undefined;
  try {
    opened = await within(patience, candidate.open(work, problem));
    if (!opened) return undefined;
    opened.prepare?.();
    const start = await now();
    const gave = await within(patience, opened.run());
    const first = { took: (await now()) - start, elapsed: elapsedOf(gave) };
    if (first.took > longest) throw new Error(tooSlow(`a run took ${seconds(first.took)}`));
    const error = await wrongOr(() => within(patience, check(opened as Opened, problem, gave)));
    const schedule = await within(patience, warmUp(opened, options, first));
    return { candidate, opened, error, schedule: { ...schedule, litters: litters(candidate) } };
  } catch (cause) {
    // It has failed, or does not answer: how it ends says no more.
    if (opened) await close(opened, options).catch(() => {});
    return wordsOf(cause);
  }
}

const check = async (opened: Opened, problem: Problem, gave: unknown): Promise<ResultError> =>
  problem.check(await opened.results(gave));

async function wrongOr<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    throw new Error(`wrong, and so not timed: ${wordsOf(cause)}`, { cause });
  }
}

/** Says so where a run would take too long, going by the largest case of the same kind so far. */
function tooLong(work: Case, { name, arrays }: Candidate, { longest, earlier }: CaseOptions): string | undefined {
  const last = earlier.findLast(
    (other) =>
      familyOf(other.work) === familyOf(work) && other.candidate.name === name && other.candidate.arrays === arrays,
  );
  if (!last) return undefined;
  const took = (Math.min(...last.rounds) * work.units) / 1e6;
  if (took <= longest) return undefined;
  return tooSlow(`a run would take about ${seconds(took)}, going by ${last.work.name}`);
}

const seconds = (milliseconds: number): string => `${(milliseconds / 1000).toPrecision(2)} s`;

const tooSlow = (why: string): string => `${why}; asked for by name, it is measured`;

// One case by all candidates: opened, checked against float64, timed in turn with the loops of calibration.

import type { Calibration } from "./calibrate.ts";
import { type Calibrated, familyOf, type Measured } from "./figures.ts";
import { measure, type RoundsOptions, type Schedule, warmUp } from "./rounds.ts";
import type { Candidate, Case, Opened, Problem, ResultError, Skipped } from "./types.ts";

export interface CaseOptions extends RoundsOptions {
  /** Milliseconds of a run from which on a candidate is left out; told by what it took in smaller cases. */
  readonly longest: number;
  readonly earlier: readonly Measured[];
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
  const ready: Ready[] = [];
  const collect = (work.work?.bytes ?? 0) > LARGE ? options.collect : undefined;
  try {
    const problem = work.prepare();
    for (const candidate of candidates) {
      const why = tooLong(work, candidate, options);
      const found = why ?? (await getReady(work, problem, candidate, options));
      if (typeof found === "string") skipped.push({ case: work.name, candidate: candidate.name, why: found });
      else if (found) ready.push(found);
      collect?.();
    }
    if (ready.length === 0) return { measured: [], calibrated: [], skipped };
    const schedules = [...ready, ...loops].map(({ schedule }) => schedule);
    const times = await measure(schedules, { ...options, collect });
    const measured = ready.map(({ candidate, error, opened }, k): Measured => {
      const scratch = opened.scratch?.();
      const rounds = (times[k] ?? []).map((time) => time / work.units);
      return { work, candidate, error, rounds, ...(scratch === undefined ? {} : { scratch }) };
    });
    const calibrated = times
      .slice(ready.length)
      .map((all, k) => ({ of: loops[k]?.of ?? "plain", rates: all.map((time) => (loops[k]?.amount ?? 0) / time) }));
    return { measured, calibrated, skipped };
  } finally {
    for (const { opened } of ready) await opened.close?.();
  }
}

/** Why a candidate is left out; undefined where it has no form of the case. */
async function getReady(work: Case, problem: Problem, candidate: Candidate, options: CaseOptions) {
  let opened: Opened | undefined;
  try {
    opened = await candidate.open(work, problem);
    if (!opened) return undefined;
    opened.prepare?.();
    const start = await options.now();
    const gave = await opened.run();
    const first = { took: (await options.now()) - start, gave };
    const error = await wrongOr(() => check(opened as Opened, problem));
    const schedule = await warmUp(opened, options, first);
    return { candidate, opened, error, schedule };
  } catch (error) {
    await opened?.close?.();
    return error instanceof Error ? error.message : String(error);
  }
}

const check = async (opened: Opened, problem: Problem): Promise<ResultError> => problem.check(await opened.results());

async function wrongOr<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    throw new Error(`wrong, and so not timed: ${cause instanceof Error ? cause.message : cause}`, { cause });
  }
}

/** Says so where a run would take too long, going by the largest case of the same kind so far. */
function tooLong(work: Case, { name, arrays }: Candidate, { longest, earlier }: CaseOptions): string | undefined {
  const last = earlier.findLast(
    (other) =>
      familyOf(other.work) === familyOf(work) && other.candidate.name === name && other.candidate.arrays === arrays,
  );
  if (!last) return undefined;
  const seconds = (Math.min(...last.rounds) * work.units) / 1e9;
  if (1000 * seconds <= longest) return undefined;
  return `a run would take about ${seconds.toPrecision(2)} s, going by ${last.work.name}; asked for by name, it is measured`;
}

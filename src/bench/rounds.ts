// Timing of several candidates in turn: interleaved rounds, so that what else the machine does hits all alike, each in another order.

import type { Clock } from "./clock.ts";
import { shuffled } from "./random.ts";
import type { Opened } from "./types.ts";
import { within } from "./within.ts";

export interface RoundsOptions {
  /** Milliseconds for all candidates together; each has an equal part of it, and three rounds, fewer where one takes longer than all of it. */
  readonly budget: number;
  /** Milliseconds that are left for them, where that is less; three rounds are taken anyway. */
  readonly left?: number | undefined;
  /** Rounds of those that are quick enough. */
  readonly rounds: number;
  readonly now: Clock;
  /** Of the clock, in milliseconds. */
  readonly step: number;
  readonly random: () => number;
  /** Frees the garbage of earlier turns, untimed: otherwise it is chance which run pays for fresh pages. */
  readonly collect?: (() => void) | undefined;
  /** Milliseconds after which a turn is taken for one that never ends. */
  readonly patience?: number | undefined;
  /** Told of a candidate whose turn failed: it has no more of them. Without it, that is the end of all. */
  readonly onFailure?: ((k: number, cause: unknown) => void) | undefined;
  /** Told what part of them is done. */
  readonly onRound?: ((part: number) => void | Promise<void>) | undefined;
}

/** A candidate that is warm, and how its turns go. */
export interface Schedule {
  readonly opened: Opened;
  /** Runs of a turn that are timed together, or, where each must be prepared, one by one. */
  readonly batch: number;
  /** Milliseconds of a turn, all in all. */
  readonly turn: number;
  /** Whether a turn begins with a run that is not timed: caches are someone else's by then. */
  readonly warms: boolean;
  /** Whether runs say themselves how long they took. */
  readonly timesItself: boolean;
  /** Whether a turn leaves garbage that is to be freed before the next, as new arrays for every result are. Default true. */
  readonly litters?: boolean;
}

/** A turn's runs take this long at least: a thousandth of it is more than a call of the clock. */
const LEAST_TURN = 1;
/** Steps of the clock in a turn: the error of one is below two in a hundred. */
const STEPS = 50;
/** Compilers that replace a function while it runs are through with it after so many milliseconds. */
const WARM_UP = 40;
/** What takes longer than this warms its caches by itself. */
const LONG = 100;
const FEWEST = 3;
/** A first run that takes so long is warm-up enough. */
const VERY_LONG = 500;

/** Nanoseconds of a run, one number a round, for each candidate. */
export async function measure(schedules: readonly Schedule[], options: RoundsOptions): Promise<number[][]> {
  const part = Math.min(options.budget, options.left ?? Infinity) / schedules.length;
  const rounds = schedules.map(({ turn }) => {
    const fewest = Math.min(Math.max(Math.floor((FEWEST * options.budget) / turn), 1), FEWEST);
    return Math.min(Math.max(Math.floor(part / turn), fewest), options.rounds);
  });
  const total = Math.max(0, ...rounds);
  const times: number[][] = schedules.map(() => []);
  const failed = new Set<number>();
  let isLittered = true;
  for (let round = 0; round < total; round++) {
    // Spread evenly: a candidate with a third of the rounds has its turn in every third.
    const due = (k: number) => {
      const mine = rounds[k] as number;
      return Math.floor(((round + 1) * mine) / total) > Math.floor((round * mine) / total);
    };
    for (const k of shuffled([...schedules.keys()].filter(due), options.random)) {
      if (failed.has(k)) continue;
      const schedule = schedules[k] as Schedule;
      if (isLittered) options.collect?.();
      isLittered = schedule.litters ?? true;
      try {
        times[k]?.push(await within(options.patience ?? Infinity, turnOf(schedule, options.now)));
      } catch (cause) {
        if (!options.onFailure) throw cause;
        failed.add(k);
        options.onFailure(k, cause);
      }
    }
    await options.onRound?.((round + 1) / total);
  }
  return times;
}

/** Runs a candidate until it is warm, and plans its turns by what it takes. `first` is a run that there was already: milliseconds, and by itself. */
export async function warmUp(
  opened: Opened,
  { now, step }: Pick<RoundsOptions, "now" | "step">,
  first?: { readonly took: number; readonly elapsed: number | undefined },
): Promise<Schedule> {
  const start = await now();
  let [runs, took, prepared] = first && first.took > VERY_LONG ? [1, first.took, 0] : [0, 0, 0];
  let last = first?.elapsed ?? Infinity;
  while (took < WARM_UP) {
    // Twice as many as so far, as long as the clock has not moved.
    for (let k = Math.max(1, runs); k > 0; k--) {
      const before = opened.prepare ? await now() : 0;
      opened.prepare?.();
      if (opened.prepare) prepared += (await now()) - before;
      const result = opened.run();
      const given = result instanceof Promise ? await result : result;
      runs++;
      if (isTimed(given)) last = given.elapsed;
    }
    took = (await now()) - start;
  }
  // A clock that stood still is one that moves in large steps.
  const run = last === Infinity ? Math.max((took - prepared) / runs, 1e-6) : last;
  const batch = Math.ceil(Math.max(LEAST_TURN, STEPS * step) / run);
  const warms = run < LONG;
  const timesItself = last !== Infinity;
  const schedule = { opened, batch, turn: (took / runs) * (batch + Number(warms)), warms, timesItself };
  return warms && !timesItself ? lengthened(schedule, { now, step }) : schedule;
}

/** Times as many runs as before, at most: what took no time says little of how many it will take. */
const MOST_MORE = 10;

/** The first runs may be the slow ones, or the machine was busy meanwhile: turns that prove too short get more runs. */
async function lengthened(schedule: Schedule, { now, step }: Pick<RoundsOptions, "now" | "step">): Promise<Schedule> {
  const wanted = Math.max(LEAST_TURN, STEPS * step);
  let plan = schedule;
  for (;;) {
    const start = await now();
    const timed = ((await turnOf(plan, now)) * plan.batch) / 1e6;
    const turn = (await now()) - start;
    if (timed >= wanted / 2) return { ...plan, turn };
    const more = Math.min(wanted / Math.max(timed, 1e-6), MOST_MORE);
    plan = { ...plan, batch: Math.ceil(plan.batch * more) };
  }
}

/** The nanoseconds of a run, by one turn. */
async function turnOf({ opened, batch, warms, timesItself }: Schedule, now: Clock): Promise<number> {
  const { run, prepare } = opened;
  const time = timesItself ? timeBySelf : timeByClock;
  if (warms) {
    prepare?.();
    await run();
  }
  if (!prepare) return (1e6 * (await time(run, batch, now))) / batch;
  let sum = 0;
  for (let k = 0; k < batch; k++) {
    prepare();
    sum += await time(run, 1, now);
  }
  return (1e6 * sum) / batch;
}

async function timeByClock(run: () => unknown, times: number, now: Clock): Promise<number> {
  const given = now();
  const start = typeof given === "number" ? given : await given;
  for (let k = 0; k < times; k++) {
    const result = run();
    // What is synchronous does not pay for a microtask.
    if (result instanceof Promise) await result;
  }
  const end = now();
  return (typeof end === "number" ? end : await end) - start;
}

async function timeBySelf(run: () => unknown, times: number): Promise<number> {
  let sum = 0;
  for (let k = 0; k < times; k++) {
    const result = await run();
    if (!isTimed(result)) throw new Error("elapsed: expected milliseconds from every run, got none");
    sum += result.elapsed;
  }
  return sum;
}

/** What a run says itself that it took. */
export const elapsedOf = (result: unknown): number | undefined => (isTimed(result) ? result.elapsed : undefined);

const isTimed = (result: unknown): result is { elapsed: number } =>
  typeof result === "object" && result !== null && "elapsed" in result && typeof result.elapsed === "number";

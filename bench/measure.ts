// Timing of several candidates in turn, and tables for people.

import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

export interface Candidate {
  name: string;
  /** If the result has `elapsed` (milliseconds), that is the time: the work was done in another process. */
  run(): unknown;
  /** Restores what a run destroys; called before every run, untimed. */
  prepare?: (() => void) | undefined;
  /** Takes part in every nth round, without warm-up: for slow candidates, whose last digit does not matter. Default 1. */
  every?: number | undefined;
}

/** Nanoseconds per unit of work. */
export interface Timing {
  median: number;
  min: number;
}

/**
 * `BENCH_CLOCK=cpu` counts processor time instead, which on one thread is nearly the same. Use it on a busy machine, where
 * wall-clock time says nothing.
 */
export const clock = process.env["BENCH_CLOCK"] === "cpu" ? "cpu" : "wall";

const now = clock === "wall" ? () => performance.now() : cpuTime;

setFlagsFromString("--expose-gc");
const collectGarbage: () => void = runInNewContext("gc");

/** Milliseconds of processor time of this process so far. */
function cpuTime(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

/**
 * Times the candidates in turn, A B C A B C …, so that other load affects all of them alike. In each turn a candidate runs
 * once untimed, to warm its caches, then `runs` times. The first round is a warm-up. A run does `units` units of work.
 *
 * `collect` frees the garbage of earlier runs, untimed. Otherwise, where results are large new arrays, it is chance which run
 * pays for fresh pages (up to three times the work itself).
 */
export async function interleave(
  candidates: readonly Candidate[],
  { rounds, runs, units, collect = false }: { rounds: number; runs: number; units: number; collect?: boolean },
): Promise<Map<string, Timing>> {
  const times = new Map<string, number[]>(candidates.map(({ name }) => [name, []]));
  for (let round = -1; round < rounds; round++) {
    for (const { name, run, prepare, every = 1 } of candidates) {
      if (round % every !== 0) continue;
      for (let turn = -1; turn < runs; turn++) {
        if (collect) collectGarbage();
        prepare?.();
        const start = now();
        let result = run();
        // A synchronous candidate does not pay for a microtask.
        if (result instanceof Promise) result = await result;
        const time = isTimed(result) ? result.elapsed : now() - start;
        if (round >= 0 && turn >= 0) times.get(name)?.push((time * 1e6) / units);
      }
    }
  }
  return new Map(Array.from(times, ([name, values]) => [name, summary(values)]));
}

const isTimed = (result: unknown): result is { elapsed: number } =>
  typeof result === "object" && result !== null && "elapsed" in result;

function summary(times: number[]): Timing {
  const sorted = times.toSorted((a, b) => a - b);
  return { median: sorted[sorted.length >> 1] as number, min: sorted[0] as number };
}

/** A table: the first column aligned left, the others right. */
export function table(header: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  const cells = [header, ...rows.map((row) => row.map((cell) => (typeof cell === "number" ? cell.toFixed(2) : cell)))];
  const widths = header.map((_, column) => Math.max(...cells.map((row) => row[column]?.length ?? 0)));
  const pad = (cell: string, column: number) =>
    column === 0 ? cell.padEnd(widths[column] as number) : cell.padStart(widths[column] as number);
  return cells.map((row) => row.map(pad).join("  ").trimEnd()).join("\n");
}

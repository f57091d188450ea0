// Timing of several candidates in turn, and tables for people.

import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

export interface Candidate {
  name: string;
  /** A result that has `elapsed`, milliseconds, speaks for itself: its work was done in another process. */
  run(): unknown;
  /** Puts back what a run destroys; before every run, untimed. */
  prepare?: (() => void) | undefined;
  /** Takes part in one round of so many, none to warm up: for slow ones, whose last digit nobody asks for. Default 1. */
  every?: number | undefined;
}

/** Nanoseconds per unit of work. */
export interface Timing {
  median: number;
  min: number;
}

/**
 * `BENCH_CLOCK=cpu` counts processor time instead, on one thread all but the same: for looks at a machine busy with other
 * things, where the time of day says nothing.
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
 * Times the candidates in turn, A B C A B C …, so that what else the machine does hits all alike. At each turn a candidate
 * runs once untimed, to have its data and code in the caches that it can have them in, then `runs` times. The first round
 * warms up. A run does `units` units of work.
 *
 * `collect` frees the garbage of runs before, untimed: where results are large fresh arrays, it is chance otherwise which run
 * pays for memory that the system has to find (up to three times the work itself).
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
        // A candidate that returns at once is not made to wait for a microtask.
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

/** Rows under a header, the first column to the left, the others to the right. */
export function table(header: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  const cells = [header, ...rows.map((row) => row.map((cell) => (typeof cell === "number" ? cell.toFixed(2) : cell)))];
  const widths = header.map((_, column) => Math.max(...cells.map((row) => row[column]?.length ?? 0)));
  const pad = (cell: string, column: number) =>
    column === 0 ? cell.padEnd(widths[column] as number) : cell.padStart(widths[column] as number);
  return cells.map((row) => row.map(pad).join("  ").trimEnd()).join("\n");
}

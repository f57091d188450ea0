// The time of a run, shared between its cases: by what each is likely to take, and by what those before it took. A slower machine cuts
// rounds first, then cases.

import type { Case } from "./types.ts";

/** Milliseconds of a run in one runtime. */
export const runTotals = { quick: 9000, whole: 100_000 } as const;

/** Milliseconds of the clock that the budget began by. */
export interface CaseTime {
  /** When its rounds should be over. */
  readonly deadline: number;
  /** When no candidate of it is opened any more: otherwise the first cases alone would be measured where all take very long. */
  readonly end: number;
}

export interface Budget {
  /** The time of a case; undefined where there is none for it. */
  timeOf(work: Case, now: number): CaseTime | undefined;
}

/** With the fewest rounds, of its first candidates alone, a case takes this part of what those before it took for their size. */
const LEAST = 0.2;

/** Shares of its own that a case may take until all its candidates are open. */
const MOST = 2;

/** What a case is likely to take beside others: all are opened, warmed and checked; larger ones take longer with all of it. */
const sizeOf = ({ work }: Case): number => 1 + (work ? work.bytes / 2 ** 25 + work.flops / 2 ** 29 : 0);

export function createBudget(cases: readonly Case[], total: number, start: number): Budget {
  const end = start + total;
  let ahead = cases.reduce((sum, work) => sum + sizeOf(work), 0);
  let behind = 0;
  return {
    timeOf(work, now) {
      const size = sizeOf(work);
      const share = (size / ahead) * (end - now);
      const likely = behind === 0 ? 0 : (size / behind) * (now - start);
      ahead -= size;
      if (now >= end || now + LEAST * likely > end) return undefined;
      behind += size;
      return { deadline: now + share, end: Math.min(end, now + MOST * share) };
    },
  };
}

// The time of a run, shared between its cases: by what each is likely to take, and by what those before it took. A slower machine cuts
// rounds first, then cases.

import type { Case } from "./types.ts";

export interface Budget {
  /** Until when a case may have rounds; undefined where there is no time for it. Milliseconds of the clock that the budget began by. */
  deadlineOf(work: Case, now: number): number | undefined;
  /** When the run should be over: what has not begun by then does not begin. */
  readonly end: number;
}

/** With the fewest rounds a case takes half of what those before it took for their size, or less. */
const LEAST = 0.5;

/** What a case is likely to take beside others: all are opened, warmed and checked; larger ones take longer with all of it. */
const sizeOf = ({ work }: Case): number => 1 + (work ? work.bytes / 2 ** 24 + work.flops / 2 ** 30 : 0);

export function createBudget(cases: readonly Case[], total: number, start: number): Budget {
  const end = start + total;
  let ahead = cases.reduce((sum, work) => sum + sizeOf(work), 0);
  let behind = 0;
  return {
    end,
    deadlineOf(work, now) {
      const size = sizeOf(work);
      const share = (size / ahead) * (end - now);
      const likely = behind === 0 ? 0 : (size / behind) * (now - start);
      ahead -= size;
      if (now >= end || now + LEAST * likely > end) return undefined;
      behind += size;
      return now + share;
    },
  };
}

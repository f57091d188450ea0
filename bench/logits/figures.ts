// From timings of candidates to figures of rows: a row is one library in one form.

import type { Timing } from "../measure.ts";

export const passes = ["forward", "backward", "both"] as const;
export type Pass = (typeof passes)[number];

/** Names of the candidates behind a row; where no candidate does backward alone, it is both less forward. */
export interface Row {
  name: string;
  candidates: { forward: string; backward?: string; both: string };
  /** Worst error of a token's log-prob, nats. */
  logpError: number;
}

/** Nanoseconds per logit. */
export type Figures = { name: string; logpError: number } & Record<Pass, Timing>;

export function figuresOf(row: Row, timings: ReadonlyMap<string, Timing>): Figures {
  const { name, candidates, logpError } = row;
  const timing = (candidate: string) => timings.get(candidate) as Timing;
  const [forward, both] = [timing(candidates.forward), timing(candidates.both)];
  const rest = { median: both.median - forward.median, min: both.min - forward.min };
  return { name, logpError, forward, backward: candidates.backward ? timing(candidates.backward) : rest, both };
}

/** How many times as long as ours a row takes, by medians. */
export function timesAsLong(row: Figures, ours: Figures): Record<Pass, number> {
  const ratio = (pass: Pass) => row[pass].median / ours[pass].median;
  return { forward: ratio("forward"), backward: ratio("backward"), both: ratio("both") };
}

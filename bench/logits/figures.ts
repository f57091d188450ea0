// Turns timings of candidates into rows of a table; a row is one library in one form.

import type { Timing } from "../measure.ts";

export const passes = ["forward", "backward", "both"] as const;
export type Pass = (typeof passes)[number];

/** Names of the candidates behind a row; where none runs backward alone, backward is both minus forward. */
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

/** The ratio of a row's median to ours. */
export function timesAsLong(row: Figures, ours: Figures): Record<Pass, number> {
  const ratio = (pass: Pass) => row[pass].median / ours[pass].median;
  return { forward: ratio("forward"), backward: ratio("backward"), both: ratio("both") };
}

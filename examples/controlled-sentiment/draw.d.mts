import type { Result, Run } from "./experiment.ts";

/** What is known of a run of the experiment beside its result. */
export interface Report extends Result {
  /** YYYY-MM-DD */
  date: string;
  machine: { cpu: string; cores: number; node: string };
  /** Of processor time. */
  seconds: number;
}

/** The picture: a panel for each loss, with each of its policies between the reference and the best that there is. */
export function frontierPlot(report: Report): string;

/** The page: the picture beside it, and in numbers the best policy of each loss within some distances. */
export function frontierPage(report: Report): string;

/** The largest reward of a loss within so many nats; −∞ where it has no policy that near. */
export function bestWithin(runs: readonly Run[], loss: string, nats: number): number;

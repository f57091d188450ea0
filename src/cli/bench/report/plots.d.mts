import type { Row } from "./rows.ts";

/** A bar: `from` and `to` are the quartiles. */
export interface Bar {
  readonly label: string;
  readonly kind: Row["kind"];
  readonly value: number;
  readonly from: number;
  readonly to: number;
  readonly text: string;
}

/** Bars, the shortest first. */
export function barPlot(bars: readonly Bar[], unit: string): string;

/** Times of a case: a row for each candidate, a column for each runtime. */
export function matrixPlot(
  cells: readonly { runtime: string; label: string; value: number; text: string }[],
  order: { runtimes: readonly string[]; labels: readonly string[] },
): string;

/** Times of a case on a logarithmic scale: a row for each runtime. */
export function runtimesPlot(
  points: readonly { runtime: string; label: string; ours: boolean; value: number }[],
  order: { runtimes: readonly string[]; names: readonly string[] },
  unit: string,
): string;

/** What share of a limit each case reaches, in per cent. */
export function sharePlot(
  points: readonly { case: string; label: string; share: number }[],
  names: readonly string[],
  limit: string,
): string;

/** Times over sizes, a line for each candidate. */
export function sizePlot(
  points: readonly { label: string; units: number; time: number }[],
  names: readonly string[],
  axes: { x: string; y: string },
): string;

/** How many times as fast so many workers are as one. */
export function workersPlot(
  points: readonly { series: string; workers: number; speedup: number }[],
  names: readonly string[],
): string;

/** Errors, a row for each candidate. */
export function errorPlot(points: readonly { label: string; kind: Row["kind"]; error: number; text: string }[]): string;

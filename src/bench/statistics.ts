// What a list of times comes to. Measurements are few and their distribution is not normal: quantiles, no means.

export interface Summary {
  readonly median: number;
  readonly lower: number;
  readonly upper: number;
  readonly min: number;
}

/** Median, quartiles and minimum. */
export function summarise(values: readonly number[]): Summary {
  const sorted = [...values].sort((a, b) => a - b);
  const [lower, median, upper, min] = [0.25, 0.5, 0.75, 0].map((at) => quantile(sorted, at));
  return { median, lower, upper, min } as Summary;
}

/** Between the two nearest values where it falls between them (R's type 7); NaN of none. */
export function quantile(sorted: ArrayLike<number>, at: number): number {
  const place = at * (sorted.length - 1);
  const [below, above] = [sorted[Math.floor(place)], sorted[Math.ceil(place)]];
  if (below === undefined || above === undefined) return Number.NaN;
  return below + (above - below) * (place - Math.floor(place));
}

export const median = (values: readonly number[]): number => summarise(values).median;

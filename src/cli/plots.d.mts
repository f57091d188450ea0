/** How many pairs have which margin, as a histogram; those below 0 in red. */
export function marginPlot(histogram: { from: number; to: number; counts: readonly number[] }): string;

/** The share of pairs whose margin is above 0, by length. */
export function accuracyPlot(bins: readonly { tokens: string; accuracy: number; pairs: number }[]): string;

/** Curves over the steps of a training, in one picture. */
export function curvePlot(
  name: string,
  curves: readonly { name: string; points: readonly { step: number; value: number }[] }[],
): string;

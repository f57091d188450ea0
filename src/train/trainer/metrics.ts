// Means of metrics over the parts of a step, the steps of a logging interval, the batches of an evaluation.

type Metrics = Readonly<Record<string, number>>;

/** Sums of metrics, and how many parts had each. It is plain data, so that a checkpoint can keep it. */
export interface Sums {
  values: Record<string, number>;
  weights: Record<string, number>;
}

export const noSums = (): Sums => ({ values: {}, weights: {} });

/** A part adds to what it has a mean of: all parts count alike, as in TRL since v1.6, however many such rows they have. */
export function addTo({ values, weights }: Sums, metrics: Metrics): void {
  for (const [name, value] of Object.entries(metrics)) {
    values[name] = (values[name] ?? 0) + value;
    weights[name] = (weights[name] ?? 0) + (name.startsWith("count/") ? 0 : 1);
  }
}

/** The means; counts stay sums. */
export const meansOf = ({ values, weights }: Sums): Record<string, number> =>
  Object.fromEntries(
    Object.entries(values).map(([name, value]) => {
      const weight = weights[name] ?? 0;
      return [name, weight === 0 ? value : value / weight];
    }),
  );

// Means of metrics over the parts of a step, the steps of a logging interval, the batches of an evaluation.

type Metrics = Readonly<Record<string, number>>;

/** Sums of metrics and of what they are weighted by. It is plain data, so that a checkpoint can keep it. */
export interface Sums {
  values: Record<string, number>;
  weights: Record<string, number>;
}

export const noSums = (): Sums => ({ values: {}, weights: {} });

/** Rows that are desirable, or not, have a mean of their own: it counts as often as there are such rows. */
const weightOf = (name: string, metrics: Metrics): number => {
  const [, side = ""] = /^\w+\/(chosen|rejected)$/.exec(name) ?? [];
  return metrics[`count/${side}`] ?? 1;
};

export function addTo({ values, weights }: Sums, metrics: Metrics): void {
  for (const [name, value] of Object.entries(metrics)) {
    const isCount = name.startsWith("count/");
    const weight = isCount ? 0 : weightOf(name, metrics);
    values[name] = (values[name] ?? 0) + (isCount ? value : weight * value);
    weights[name] = (weights[name] ?? 0) + weight;
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

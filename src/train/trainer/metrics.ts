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

/**
 * A step, part by part, adds to a logging interval. As TRL has it: metrics are means over all parts of the interval, also where a step
 * at an epoch's end has fewer of them; the loss is one over its steps.
 */
export function addStep(log: Sums, loss: number, parts: readonly Metrics[]): void {
  addTo(log, { loss });
  for (const { loss: _, ...metrics } of parts) addTo(log, metrics);
}

/** The means over a step's parts. */
export function meansOfParts(parts: readonly Metrics[]): Record<string, number> {
  const sums = noSums();
  for (const part of parts) addTo(sums, part);
  return meansOf(sums);
}

/** The means; counts stay sums. */
export const meansOf = ({ values, weights }: Sums): Record<string, number> =>
  Object.fromEntries(
    Object.entries(values).map(([name, value]) => {
      const weight = weights[name] ?? 0;
      return [name, weight === 0 ? value : value / weight];
    }),
  );
